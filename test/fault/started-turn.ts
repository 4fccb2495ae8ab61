import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROTOCOLS } from "../support/protocols.ts";
import { between, oneOf } from "./random.ts";
import { Recording } from "./recording.ts";

/** A request that can be sent again, whose agent leaves a line behind each time it is started. */
export interface CountedRequest {
  /** What the agent writes. */
  readonly token: string;
  readonly sessionId: string;
  readonly requestId: string;
  readonly prompt: string;
}

/** A request for a turn in a session, of these steps of `fault-agent.pl`. */
export function countedRequest(
  steps: (token: string) => readonly string[],
  sessionId: string = randomUUID(),
): CountedRequest {
  const token = randomUUID();
  const prompt = [`count ${token}`, ...steps(token)].join("\n");
  return { token, sessionId, requestId: randomUUID(), prompt };
}

/** The process ids of a request's agent: one for each time that it was started. */
export async function startsOf(
  root: string,
  { token }: Pick<CountedRequest, "token">,
): Promise<number[]> {
  const starts = await readFile(join(root, "starts"), "utf8").catch(() => "");
  return starts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([found]) => found === token)
    .map(([, pid]) => Number(pid));
}

/** What a client received of a turn, from after a sequence on. */
export interface Part {
  readonly after: number;
  readonly recording: Recording;
}

/** A turn, as the clients that ask for it know it. Disposing ends their connections. */
export class StartedTurn implements Disposable {
  readonly request: CountedRequest;
  /** What the client received that asked for the turn. */
  readonly recording: Recording;
  /** What all clients received. */
  readonly parts: Part[];
  readonly #url: string;
  readonly #connections = new DisposableStack();

  /** Sends the request, over one protocol or another. */
  constructor(url: string, request: CountedRequest) {
    this.#url = url;
    this.request = request;
    const { client } = this.#connect();
    const { token: _, ...message } = request;
    this.recording = new Recording(client.runTurn(message));
    this.parts = [{ after: 0, recording: this.recording }];
  }

  /** Attaches another reader, from after an event that is known by now. */
  attach(): void {
    const { turnId } = this.recording;
    if (turnId === undefined) return;
    const after = between(0, this.recording.durable.length);
    const { client } = this.#connect();
    const recording = new Recording(client.attachTurn({ turnId, afterSequence: after }));
    this.parts.push({ after, recording });
  }

  /** Resolves when every stream has ended or was cut. */
  async over(): Promise<void> {
    await Promise.all(this.parts.map(({ recording }) => recording.over));
  }

  [Symbol.dispose](): void {
    this.#connections.dispose();
  }

  #connect() {
    return this.#connections.use(oneOf(PROTOCOLS).connect(this.#url));
  }
}
