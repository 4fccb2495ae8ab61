import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import {
  aborted,
  echo,
  init,
  note,
  questionWithdrawn,
  success,
  taskEnded,
  taskStarted,
  toolQuestion,
} from "./agent-messages.ts";
import { ModelOutput } from "./model-output.ts";
import type { Answer, Player, Question, StepContext } from "./step-context.ts";

interface Block {
  readonly type: string;
  readonly text?: string;
  readonly source?: { readonly media_type: string; readonly data: string };
}

/** A line of stdin for the model. */
export interface UserLine {
  readonly uuid?: string;
  readonly message: { readonly content: readonly Block[] };
}

/** A turn that is to be played: somebody's prompt, or what the agent does by itself when a task has ended. */
export interface WaitingTurn {
  readonly prompt: string;
  readonly line?: UserLine;
  readonly taskId?: string;
}

/** Which conversation an agent holds, and how. */
export interface AgentOpening {
  readonly sessionId: string;
  /** The file that knows of the conversation. */
  readonly record: string;
  /** What its tools may do: `default`, or all with `bypassPermissions`. */
  readonly mode: string;
}

/** What a turn cost that says nothing of it. */
const COST_USD = 0.25;

/** The messages that the agent was sent, and what becomes of them: one turn after the other. */
export class AgentTurns<S> {
  ignoresInterrupts = false;
  protected readonly opening: AgentOpening;
  readonly #player: Player<S>;
  readonly #model: ModelOutput;
  readonly #waiting: WaitingTurn[] = [];
  readonly #questions = new Map<string, (answer: Answer | undefined) => void>();
  #running: AbortController | undefined;
  #isOwn = false;
  #received: string[] = [];
  #denials: object[] = [];
  #costUsd = 0;
  #endsAfterResult = false;
  #wasInterrupted = false;
  #inputEnded = false;

  constructor(opening: AgentOpening, player: Player<S>) {
    this.opening = opening;
    this.#player = player;
    this.#model = new ModelOutput(opening.sessionId, (message) => this.print(message));
  }

  /** What the process has cost so far. */
  get costUsd(): number {
    return this.#costUsd;
  }

  /** Prints a line of JSON. */
  print(message: object): void {
    process.stdout.write(`${JSON.stringify(message)}\n`);
  }

  /** Takes a line for the model: a turn of its own, or part of the running one where a tool ends before that does. */
  add(line: UserLine): void {
    this.#wasInterrupted = false;
    this.#waiting.push({ prompt: promptOf(line), line });
    void this.#playAll();
  }

  /** Takes back one that was not taken up; answers whether there was one. */
  withdraw(uuid: string): boolean {
    const index = this.#waiting.findIndex(({ line }) => line?.uuid === uuid);
    if (index !== -1) this.#waiting.splice(index, 1);
    return index !== -1;
  }

  /** Stops the running turn; the process goes on. */
  interrupt(): void {
    this.#wasInterrupted = true;
    this.#running?.abort();
  }

  /** Nothing more comes: one that was asked to stop does so at once, and another when it is done. */
  endInput(): void {
    this.#inputEnded = true;
    if (this.#wasInterrupted && !this.ignoresInterrupts) process.exit(0);
  }

  /** Takes an answer to a question. */
  answered(requestId: string, answer: Answer | undefined): void {
    this.#questions.get(requestId)?.(answer);
    this.#questions.delete(requestId);
  }

  /** Plays what stands for a prompt outside of any turn. */
  async playStray(prompt: string): Promise<void> {
    await this.#steps(this.#player.sceneOf(prompt).steps, new AbortController().signal);
  }

  /** Does something else with a turn than to play it; answers whether it did. */
  protected async playInstead(_turn: WaitingTurn): Promise<boolean> {
    return false;
  }

  protected async play(turn: WaitingTurn, signal: AbortSignal): Promise<void> {
    const scene = this.#player.sceneOf(turn.prompt);
    this.#isOwn = turn.taskId !== undefined;
    this.#received = turn.line === undefined ? [] : receivedIn(turn.line);
    this.#begin(turn, scene.isSilent === true);
    const gaveResult = await this.#steps(scene.steps, signal);
    if (signal.aborted) return this.#abort();
    if (!gaveResult && !scene.endsWithoutResult) this.#result("done");
    if (scene.endsWithoutResult || this.#endsAfterResult) process.exit(0);
  }

  /** Says that a message was taken up. */
  protected echo({ uuid, message }: UserLine): void {
    if (uuid !== undefined) this.print(echo(this.opening.sessionId, uuid, message.content));
  }

  protected contextOf(signal: AbortSignal): StepContext<S> {
    return {
      sessionId: this.opening.sessionId,
      signal,
      model: this.#model,
      print: (message) => this.print(message),
      playAll: (steps) => this.#steps(steps, signal),
      ignoreStops: () => this.#ignoreStops(),
      ignoreInterrupts: () => {
        this.ignoresInterrupts = true;
      },
      endAfterResult: () => {
        this.#endsAfterResult = true;
      },
      spend: (usd) => {
        this.#costUsd += usd;
      },
      result: (text, members) => this.#result(text, members),
      messageWaits: () => this.#waiting.some(({ line }) => line !== undefined),
      received: () => this.#received,
      ask: (question) => this.#ask(question),
      answerTo: (requestId) =>
        new Promise((resolve) => void this.#questions.set(requestId, resolve)),
      startTask: (milliseconds, prompt) => this.#startTask(milliseconds, prompt),
    };
  }

  async #playAll(): Promise<void> {
    if (this.#running !== undefined) return;
    for (let turn = this.#waiting.shift(); turn !== undefined; turn = this.#waiting.shift()) {
      this.#running = new AbortController();
      if (!(await this.playInstead(turn))) await this.play(turn, this.#running.signal);
      this.#running = undefined;
    }
  }

  #begin({ prompt, line, taskId }: WaitingTurn, isSilent: boolean): void {
    const { sessionId } = this.opening;
    if (taskId !== undefined) this.print(taskEnded(sessionId, taskId, prompt));
    else this.#remember(prompt);
    this.#denials = [];
    if (isSilent) return;
    this.print(init(sessionId));
    if (line !== undefined) this.echo(line);
  }

  /** Plays steps; answers whether one of them was a result. */
  async #steps(given: readonly S[], signal: AbortSignal): Promise<boolean> {
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const context = this.contextOf(signal);
    const steps = [...given];
    let gaveResult = false;
    for (let i = 0; i < steps.length && !signal.aborted; i++) {
      const step = steps[i]!;
      const played = this.#player.play(step, context);
      const gave = played instanceof Promise ? await Promise.race([played, stopped]) : played;
      if (this.#player.isTool(step)) steps.splice(i + 1, 0, ...this.#join());
      gaveResult ||= gave === true;
    }
    return gaveResult;
  }

  /** What was sent while a tool ran is part of the turn from its end on. */
  #join(): S[] {
    const joining = this.#waiting.filter(({ line }) => line !== undefined);
    for (const turn of joining) {
      this.#waiting.splice(this.#waiting.indexOf(turn), 1);
      this.#remember(turn.prompt);
      this.echo(turn.line!);
    }
    return joining.flatMap(({ prompt }) => this.#player.joinedBy(prompt));
  }

  #ignoreStops(): void {
    this.ignoresInterrupts = true;
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => {});
    setInterval(() => {}, 60_000); // The end of stdin ends nothing either.
  }

  async #ask({ toolId, name, input, title }: Question): Promise<Answer> {
    if (this.opening.mode !== "default") return { behavior: "allow", updatedInput: input };
    const requestId = randomUUID();
    const answered = new Promise<Answer | undefined>((resolve) => {
      this.#questions.set(requestId, resolve);
    });
    this.print(toolQuestion(requestId, toolId, name, input, title));
    const answer = (await answered) ?? { behavior: "deny", message: "no answer" };
    if (answer.behavior === "deny") {
      this.#denials.push({ tool_name: name, tool_use_id: toolId, tool_input: input });
    }
    return answer;
  }

  #startTask(milliseconds: number, prompt: string): void {
    const taskId = randomUUID().slice(0, 8);
    this.print(taskStarted(this.opening.sessionId, taskId, prompt));
    setTimeout(() => {
      this.#waiting.push({ prompt, taskId });
      void this.#playAll();
    }, milliseconds);
  }

  #abort(): void {
    const { sessionId } = this.opening;
    for (const requestId of this.#questions.keys()) this.print(questionWithdrawn(requestId));
    this.#questions.clear();
    const inTool = this.#model.rejectCall();
    const why = inTool ? " for tool use" : "";
    this.print(note(sessionId, `[Request interrupted by user${why}]`));
    this.#costUsd += COST_USD;
    this.print(aborted(sessionId, inTool ? "tools" : "streaming"));
    if (this.#inputEnded) process.exit(0);
  }

  /** What is said of the cost is what the whole process has cost; a member of its own is what this turn did. */
  #result(text: string, { total_cost_usd = COST_USD, ...members }: ResultMembers = {}): void {
    this.#costUsd += total_cost_usd;
    this.print({
      ...success(this.opening.sessionId, text),
      ...members,
      total_cost_usd: this.#costUsd,
      permission_denials: this.#denials,
      ...(this.#isOwn && { origin: { kind: "task-notification" } }),
    });
  }

  #remember(prompt: string): void {
    const { record } = this.opening;
    mkdirSync(dirname(record), { recursive: true });
    const taken = { prompt, pid: process.pid, cwd: process.cwd() };
    appendFileSync(record, `${JSON.stringify(taken)}\n`);
  }
}

interface ResultMembers {
  readonly total_cost_usd?: number;
}

/** What comes behind the prompt came with it. */
function promptOf({ message }: UserLine): string {
  return message.content[0]?.text ?? "";
}

function receivedIn({ message }: UserLine): string[] {
  const blocks = message.content.slice(1).filter(({ text }) => text !== "");
  return blocks.map(({ type, text, source }) => {
    const bytes = Buffer.from(source?.data ?? "", "base64").length;
    return text ?? `${type} ${source?.media_type} ${bytes}`;
  });
}
