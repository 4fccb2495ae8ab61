import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessFailure, Script, ScriptedResult, SizedText, Step } from "../script.ts";
import { failureLines } from "./api-failures.ts";
import { findTurn } from "./find-turn.ts";
import type { Player, Scene, StepContext } from "./step-context.ts";

type Context = StepContext<Step>;
type StepOf<D extends Step["do"]> = Extract<Step, { do: D }>;

/** What the model takes over a piece: what is read at once comes as one, and not at all where its text is among it. */
const PIECE_MS = 20;

/** What a turn ends with that the script does not end itself. */
const USUAL_END: Step = { do: "result", result: { costUsd: 0.01, isError: false } };

/**
 * Plays what a script says. One for each agent: it knows where the turn is.
 *
 * 1. A turn has one result: what the script has behind it is not played.
 */
export class ScriptPlayer implements Player<Step> {
  readonly #readScript: () => Script;
  #prompt = "";
  #round = 0;
  #lastText = "";
  #isOver = false;

  /** @param readScript - Is asked with each prompt: the script may be another by then. */
  constructor(readScript: () => Script) {
    this.#readScript = readScript;
  }

  sceneOf(prompt: string): Scene<Step> {
    this.#prompt = prompt;
    this.#round = 0;
    this.#lastText = "";
    this.#isOver = false;
    const turn = findTurn(this.#readScript(), prompt);
    if (turn === undefined) return { steps: [noTurn(prompt)] };
    const [first] = turn.steps;
    const isSilent = first?.do === "failure" && first.failure.isBeforeStart;
    return { steps: [...turn.steps, USUAL_END], isSilent };
  }

  /** A message that a turn of the script is for has its steps played. */
  joinedBy(message: string): readonly Step[] {
    const turn = findTurn(this.#readScript(), message);
    return turn?.when === undefined ? [] : turn.steps;
  }

  isTool(step: Step): boolean {
    return step.do === "tool" || step.do === "approval";
  }

  play(step: Step, context: Context): boolean | Promise<boolean> {
    if (this.#isOver) return false; // 1.
    return this.#play(step, context);
  }

  #play(step: Step, context: Context): boolean | Promise<boolean> {
    const { model, signal } = context;
    switch (step.do) {
      case "text":
        this.#say(this.#filled(step.text), context);
        return false;
      case "pieces":
        return this.#write(step, context);
      case "thinking":
        model.think(this.#filled(step.text));
        return false;
      case "tool":
        return this.#callTool(step, context);
      case "approval":
        return this.#callAfterApproval(step, context);
      case "delay":
        return pause(step.ms, signal);
      case "repeat":
        return this.#repeat(step, context);
      case "result":
        return this.#giveResult(step.result, context);
      case "retry":
        return tryAgain(step, context);
      case "line":
        process.stdout.write(`${step.line}\n`);
        return false;
      case "apiFailure": {
        const { message, text, members } = failureLines(step.kind, context.sessionId);
        if (message !== undefined) context.print(message);
        return this.#end(text, members, context);
      }
      case "failure":
        return fail(step.failure, context);
    }
  }

  #say(text: string, { model }: Context): void {
    this.#lastText = text;
    model.say(text);
  }

  async #write({ pieces, isVoid }: StepOf<"pieces">, context: Context): Promise<boolean> {
    let whole = "";
    for (const [i, piece] of pieces.entries()) {
      if (context.signal.aborted) return false;
      if (typeof piece !== "string") await pause(piece.delayMs, context.signal);
      else {
        const text = this.#filled(piece);
        whole += text;
        context.model.write(text);
        if (typeof pieces[i + 1] !== "object") await pause(PIECE_MS, context.signal);
      }
    }
    if (context.signal.aborted) return false;
    if (isVoid) context.model.restart();
    else this.#say(whole, context);
    return false;
  }

  async #callTool(step: StepOf<"tool">, { model, signal }: Context): Promise<boolean> {
    const { name, output, isError, takesMs } = step;
    await model.call(name, this.#filledAll(step.input), signal, async () => {
      await pause(takesMs, signal);
      return { content: this.#filled(output), isError };
    });
    return false;
  }

  async #callAfterApproval(step: StepOf<"approval">, context: Context): Promise<boolean> {
    const { tool, title, output, allowed, denied } = step;
    const input = this.#filledAll(step.input);
    let isAllowed = false;
    await context.model.call(tool, input, context.signal, async (toolId) => {
      const { behavior, message = "" } = await context.ask({ toolId, name: tool, input, title });
      isAllowed = behavior === "allow";
      return isAllowed ? { content: this.#filled(output) } : { content: message, isError: true };
    });
    return context.playAll(isAllowed ? allowed : denied);
  }

  async #repeat({ times, steps }: StepOf<"repeat">, context: Context): Promise<boolean> {
    const outer = this.#round;
    for (let round = 1; round <= times && !this.#isOver && !context.signal.aborted; round++) {
      this.#round = round;
      if (await context.playAll(steps)) return true;
      await drained();
    }
    this.#round = outer;
    return false;
  }

  #giveResult(result: ScriptedResult, context: Context): boolean {
    const { text, costUsd, usage, isError, stopReason, numTurns, apiErrorStatus } = result;
    const members = {
      total_cost_usd: costUsd,
      is_error: isError,
      ...(usage && { usage }),
      ...(stopReason !== undefined && { stop_reason: stopReason }),
      ...(numTurns !== undefined && { num_turns: numTurns }),
      ...(apiErrorStatus !== undefined && { api_error_status: apiErrorStatus }),
      ...(result.structuredOutput !== undefined && { structured_output: result.structuredOutput }),
    };
    return this.#end(text === undefined ? this.#lastText : this.#filled(text), members, context);
  }

  #end(text: string, members: object, context: Context): boolean {
    this.#isOver = true;
    context.result(text, members);
    return true;
  }

  /** A text with what stands for something else in it. */
  #filled(text: SizedText): string {
    if (typeof text !== "string") return sized(text.bytes);
    return text.replaceAll(/\{\{(n|prompt)\}\}/g, (_, name) =>
      name === "n" ? String(this.#round) : this.#prompt,
    );
  }

  #filledAll(input: object): object {
    const json = JSON.stringify(input, (_, value) => {
      return typeof value === "string" ? this.#filled(value) : value;
    });
    return JSON.parse(json) as object;
  }
}

function noTurn(prompt: string): Step {
  const text = `The script has no turn for the prompt ${JSON.stringify(prompt.slice(0, 200))}, and none without \`when\`.`;
  return { do: "result", result: { text, costUsd: 0, isError: true } };
}

/** Lines of text, so that it looks like an output. */
function sized(bytes: number): string {
  const line = `${"x".repeat(79)}\n`;
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, bytes);
}

async function pause(ms: number, signal: AbortSignal): Promise<false> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
  return false;
}

/** What is printed faster than it is read is not gathered here. */
async function drained(): Promise<void> {
  if (process.stdout.writableNeedDrain) {
    await new Promise<void>((resolve) => process.stdout.once("drain", () => resolve()));
  }
}

async function tryAgain(
  { times, status, delayMs }: StepOf<"retry">,
  { print, sessionId, signal }: Context,
): Promise<boolean> {
  for (let attempt = 1; attempt <= times && !signal.aborted; attempt++) {
    print({
      type: "system",
      subtype: "api_retry",
      attempt,
      max_retries: 10,
      retry_delay_ms: delayMs,
      error_status: status,
      error: status === 429 ? "rate_limit" : status === 529 ? "overloaded" : "server_error",
      session_id: sessionId,
    });
    await pause(delayMs, signal);
  }
  return false;
}

async function fail(failure: ProcessFailure, context: Context): Promise<boolean> {
  const { how, exitCode = 1, signal, stderr, stdout } = failure;
  if (how === "deaf") context.ignoreInterrupts();
  if (how !== "exit") return new Promise(() => {});
  // Whatever was printed before is in the pipe.
  await new Promise<void>((resolve) => void process.stdout.write("", () => resolve()));
  if (stdout !== undefined) writeSync(1, `${stdout}\n`);
  if (stderr !== undefined) writeSync(2, `${stderr}\n`);
  if (signal === undefined) process.exit(exitCode);
  process.kill(process.pid, signal);
  return new Promise(() => {});
}
