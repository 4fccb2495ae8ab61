import type { ClientHttp2Session } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import { afterAll, beforeAll } from "vitest";
import {
  compressed,
  openRaw,
  type RawAnswer,
  type RawChanges,
  type RawWay,
  rawCall,
} from "../support/raw-calls.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

/** What calls with the bytes of messages are made to. */
export interface RawServer {
  readonly url: string;
  /** Holds everything that the server and its agents write. */
  readonly root: string;
  /** Calls with a message that is compressed already, as the way has it. */
  send(
    method: DescMethod,
    way: RawWay,
    message: Uint8Array,
    changes?: RawChanges,
  ): Promise<RawAnswer>;
  /** Compresses a message as the way has it, and calls with it. */
  call: RawServer["send"];
}

/**
 * The server of all the tests of a file, with one connection: it is started before them, and ends behind them.
 *
 * @param settings - Variables of its environment.
 */
export function useRawServer(settings: Readonly<Record<string, string>> = {}): RawServer {
  let server: TestServer;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    server = await startTestServer(settings);
    session = openRaw(server.url);
  });
  afterAll(async () => {
    session.destroy();
    await server[Symbol.asyncDispose]();
  });
  const send: RawServer["send"] = (...call) => rawCall(session, ...call);
  return {
    get url() {
      return server.url;
    },
    get root() {
      return server.root;
    },
    send,
    call: (method, way, message, changes) => send(method, way, compressed(message, way), changes),
  };
}
