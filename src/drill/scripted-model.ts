import {
  type ChatCompletionRequest,
  type FixtureBlock,
  type FixtureResponse,
  LLMock,
  type ResponseOverrides,
} from "@copilotkit/aimock";
import { type Conversation, readConversation } from "./conversation.ts";
import { type Script, type Step, stepsOfCall } from "./script.ts";

/** How the scripted model writes. */
export interface Pace {
  /** How long it takes over each piece, in milliseconds. Default 0. */
  readonly latencyMs?: number;
  /** How many characters a piece has. Default 20. */
  readonly chunkSize?: number;
  /** How many tokens it says that each call took. Default: none. */
  readonly tokens?: { readonly input: number; readonly output: number };
}

/** A call of the model, as it was received. */
export interface ReceivedCall {
  /** The model that was asked for. */
  readonly model: string;
  /** What it was sent. */
  readonly conversation: Conversation;
  /** Whether it was offered tools; calls without are the agent's own side calls, which the script does not see. */
  readonly hasTools: boolean;
}

/** A model that answers by a script, over the API that the agent speaks, on loopback. */
export interface ScriptedModel {
  /** What `ANTHROPIC_BASE_URL` is to be. */
  readonly url: string;
  /** Every call so far, oldest first, those that were answered with an error included. */
  readonly requests: readonly ReceivedCall[];
  /** Ends it, and every call that it holds. */
  stop(): Promise<void>;
}

/**
 * Starts a model that plays a script, for any number of conversations at once: what it answers depends only on what it is
 * sent, but for errors that occur a limited number of times. A prompt that the script does not know is refused with 400.
 */
export async function startScriptedModel(script: Script, pace: Pace = {}): Promise<ScriptedModel> {
  const requests: ReceivedCall[] = [];
  const { tokens } = pace;
  const usage = { input_tokens: tokens?.input ?? 0, output_tokens: tokens?.output ?? 0 };
  const answer = createAnswer(script, usage);
  const stopped = Promise.withResolvers<FixtureResponse>();
  const mock = new LLMock({
    port: 0,
    host: "127.0.0.1",
    latency: pace.latencyMs ?? 0,
    chunkSize: pace.chunkSize ?? 20,
  });
  // Its journal keeps no body above 64 KiB, and the agent's are larger; so requests are kept here.
  mock.on({ predicate: () => true }, (request) => {
    const call = receivedCall(request);
    requests.push(call);
    return answer(call) ?? stopped.promise;
  });
  mock.mount("/v1/messages/count_tokens", { handleRequest: answerTokenCount });
  const url = await mock.start();
  return {
    url,
    requests,
    async stop() {
      stopped.resolve(failure(503, "the scripted model was stopped"));
      await mock.stop();
    },
  };
}

function receivedCall(request: ChatCompletionRequest): ReceivedCall {
  return {
    model: request.model,
    conversation: readConversation(request),
    hasTools: (request.tools?.length ?? 0) > 0,
  };
}

/** Answers calls; undefined for one that is never to be answered. */
function createAnswer(
  script: Script,
  usage: NonNullable<ResponseOverrides["usage"]>,
): (call: ReceivedCall) => FixtureResponse | undefined {
  const failures = new Map<Step, number>();
  const isOver = (step: Step) => step.kind === "error" && (failures.get(step) ?? 0) >= step.times;
  return ({ conversation, hasTools }) => {
    if (!hasTools) return { content: "ok" };
    const turn = script.find(({ when }) => fits(when, conversation));
    const steps = stepsOfCall(turn?.steps ?? [], conversation.callsInTurn, isOver);
    const last = steps.at(-1);
    if (last === undefined) return failure(400, "the script has no answer to this");
    if (last.kind === "hang") return undefined;
    if (last.kind !== "error")
      return { blocks: steps.flatMap((step) => block(step, conversation)), usage };
    failures.set(last, (failures.get(last) ?? 0) + 1);
    return failure(last.status, last.message);
  };
}

function fits(when: Script[number]["when"], conversation: Conversation): boolean {
  if (typeof when === "function") return when(conversation);
  return conversation.prompts.at(-1)?.includes(when) === true;
}

function block(step: Step, conversation: Conversation): FixtureBlock[] {
  if (step.kind === "say") {
    const { words } = step;
    return [{ type: "text", text: typeof words === "string" ? words : words(conversation) }];
  }
  if (step.kind !== "tool") return [];
  return [{ type: "toolCall", name: step.name, arguments: JSON.stringify(step.input) }];
}

function failure(status: number, message: string): FixtureResponse {
  return { error: { message, type: "api_error" }, status };
}

async function answerTokenCount(
  _request: unknown,
  response: { setHeader(name: string, value: string): unknown; end(body: string): unknown },
): Promise<boolean> {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ input_tokens: 1000 }));
  return true;
}
