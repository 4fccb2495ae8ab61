import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type ClientHttp2Session, constants } from "node:http2";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { createGate } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { enveloped, openRaw, rawCall } from "../support/raw-calls.ts";
import { refusalOf } from "../support/refusals.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { RawHttp2 } from "./raw-http2.ts";
import { attachFrame } from "./raw-streams.ts";

const { attachTurn } = BreakglassService.method;
const GRPC = { "content-type": "application/grpc+proto", te: "trailers" };
const WAY = { protocol: "grpc", isJson: false, encoding: "identity" } as const;
const STREAM_ENDED = /"code":"unavailable".*"reason":"STREAM_ENDED"/;

/** A turn that goes on until it is let end. */
async function startTurn(server: TestServer, token?: string) {
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const connection = connect(server.url, headers);
  const gate = createGate(server.root);
  const run = new EventReader(connection.client.runTurn({ prompt: gate.step }));
  const { turnId } = await run.until("session");
  const end = async () => {
    gate.open();
    await run.rest();
    connection[Symbol.dispose]();
  };
  return { turnId, gate, [Symbol.asyncDispose]: end };
}

/** Opens a stream, and leaves it once it was answered. */
async function attachAndLeave(session: ClientHttp2Session, turnId: string): Promise<void> {
  const path = `/${BreakglassService.typeName}/AttachTurn`;
  const stream = session.request({ ":method": "POST", ":path": path, ...GRPC });
  stream.on("error", () => {}).end(attachFrame(turnId));
  await once(stream, "response");
  stream.close(constants.NGHTTP2_CANCEL);
  await once(stream, "close");
}

/**
 * Resets requests before they are answered, for as long as it may.
 *
 * @param isAtOnce - In the piece that they come in; else when the server has seen them.
 * @param tokens - Whose they are, in turn.
 */
async function resetMany(
  client: RawHttp2,
  most: number,
  isAtOnce: boolean,
  tokens: readonly string[],
): Promise<number> {
  let sent = 0;
  for (; sent < most && client.goaways.length === 0 && !client.isEnded; sent += 100) {
    const requests = Array.from({ length: 100 }, (_, n) =>
      client.request("ListSessions", headersOf(tokens[n % tokens.length]!)),
    );
    const resets = requests.map(([, stream]) => client.reset(stream));
    if (isAtOnce) await client.write(...requests.flatMap(([bytes], n) => [bytes, resets[n]!]));
    else {
      await client.write(...requests.map(([bytes]) => bytes));
      await client.roundTrip();
      await client.write(...resets);
    }
    await client.roundTrip();
  }
  return sent;
}

function headersOf(token: string, type = "application/json"): Record<string, string> {
  return { "content-type": type, authorization: `Bearer ${token}` };
}

/** A server with a principal of each of those names, which is their token too. */
async function startSharedServer(principals: readonly string[]) {
  await using cleanup = new AsyncDisposableStack();
  const { root } = cleanup.use(await createTestEnvironment());
  const path = join(root, "tokens");
  const lines = principals.map((principal) => tokenLine(principal, principal));
  await writeFile(path, lines.join(""), { mode: 0o600 });
  const server = cleanup.use(await startTestServer({ BREAKGLASS_TOKENS_FILE: path }));
  const owned = cleanup.move();
  return { server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("a connection that many share", () => {
  it("is not cut for readers that leave, however many they are", async () => {
    await using server = await startTestServer();
    await using turn = await startTurn(server);
    const shared = openRaw(server.url);
    const read = rawCall(shared, attachTurn, WAY, attachFrame(turn.turnId).subarray(5));
    let left = 0;
    const leave = async () => {
      while (left++ < 5000) await attachAndLeave(shared, turn.turnId);
    };
    await Promise.all(Array.from({ length: 50 }, leave));
    expect(shared.closed || shared.destroyed).toBe(false);
    turn.gate.open();
    expect((await read).code).toBe("OK");
    shared.destroy();
  });

  it("is never cut with an error, where requests are reset faster than Node lets go of them", async () => {
    await using server = await startTestServer();
    const program = join(import.meta.dirname, "reset-program.ts");
    const path = `/${BreakglassService.typeName}/ListSessions`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...NODE_FLAGS,
      program,
      server.url,
      path,
    ]);
    const codes: number[] = JSON.parse(stdout);
    expect(codes.filter((code) => code !== constants.NGHTTP2_NO_ERROR)).toEqual([]);
  });

  it.each([
    ["in the piece that they come in", true, ["a"]],
    ["when they are under way, of whomever", false, [..."abcdefghijkl"]],
  ])(
    "is told to go first, where too many requests are reset %s, and its streams end UNAVAILABLE",
    async (_when, isAtOnce, principals) => {
      await using shared = await startSharedServer(principals);
      const { server } = shared;
      await using turn = await startTurn(server, "a");
      using client = await RawHttp2.open(server.url);
      const body = enveloped(Buffer.from(JSON.stringify({ turnId: turn.turnId })), 0);
      const type = "application/connect+json";
      const [attach, stream] = client.request("AttachTurn", headersOf("a", type), body);
      await client.write(attach);
      const text = () => client.bodyOf(stream);
      await eventually(text, (seen) => seen.includes("checkpoint"));
      expect(await resetMany(client, 50_000, isAtOnce, principals)).toBeLessThan(50_000);
      expect(client.goaways[0]).toBe(constants.NGHTTP2_NO_ERROR);
      const isOver = (seen: string) => STREAM_ENDED.test(decoded(seen));
      expect(decoded(await eventually(text, isOver))).toMatch(STREAM_ENDED);
      expect(await eventually(() => client.isEnded, Boolean)).toBe(true);
      expect(server.log.join("")).toContain("reset before they were answered");
    },
  );

  it("serves others while a principal that resets too many is refused for a while", async () => {
    await using shared = await startSharedServer(["a", "b"]);
    const { server } = shared;
    using client = await RawHttp2.open(server.url);
    const list = async (token: string) => {
      const [bytes, stream] = client.request("ListSessions", headersOf(token), Buffer.from("{}"));
      await client.write(bytes);
      return eventually(() => client.bodyOf(stream), Boolean);
    };
    // What is reset before it is known who is at the other end has cost nothing.
    expect(await list("b")).toBe("{}");
    await resetMany(client, 1300, false, ["a"]);
    expect(await list("b")).toBe("{}");
    expect(await list("a")).toContain("resource_exhausted");
    // On every connection, and not for ever.
    using other = connect(server.url, { authorization: "Bearer a" });
    expect(await refusalOf(other.client.listSessions({}))).toMatchObject({
      reason: "TOO_MANY_REQUESTS",
      retryMs: 1000,
    });
    const again = () =>
      other.client.listSessions({}).then(
        () => true,
        () => false,
      );
    expect(await eventually(again, Boolean, 30_000)).toBe(true);
  });
});

/** With the details of a Connect error in words. */
function decoded(text: string): string {
  const value = /"type":"google.rpc.ErrorInfo","value":"([^"]*)"/.exec(text)?.[1] ?? "";
  const reason = /[A-Z_]{5,}/.exec(Buffer.from(value, "base64").toString())?.[0];
  return `${text}"reason":"${reason}"`;
}
