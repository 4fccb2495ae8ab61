import type { DescMethod } from "@bufbuild/protobuf";
import type { HttpRequest, HttpResponse } from "../edge/http.ts";
import type { Reader } from "../edge/reader.ts";
import type { Caller } from "../identity/caller.ts";
import type { ReadMessage } from "./request-messages.ts";
import type { StreamShape } from "./stream-shape.ts";

/** A call that was admitted and has said all. */
export interface ReceivedCall {
  readonly method: DescMethod;
  /** What it says. Whoever hands it on lets go of it: a stream would keep its attachments until it ends. */
  read: ReadMessage | undefined;
  readonly caller: Caller;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** The path, with its query. */
  readonly path: string;
  readonly reader: Reader;
  /** When its headers came, a time of `performance.now`. */
  readonly since: number;
  /** How the stream is written that answers it. Undefined: it is answered once. */
  readonly shape: StreamShape | undefined;
}

/** Knows where calls belong, of several servers. */
export interface Routing {
  /** Whether calls of a method may belong elsewhere. */
  concerns(method: DescMethod): boolean;
  /**
   * Has a call answered where it belongs. Resolves when that is done; with false, and nothing done, where it belongs here, to
   * nobody, or to one that cannot be reached.
   *
   * @throws Refusal where nothing of an answer came, and it may have been done. Nothing of the response is written then.
   */
  answer(call: ReceivedCall): Promise<boolean>;
}
