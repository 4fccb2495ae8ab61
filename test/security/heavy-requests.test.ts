import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { enveloped, pathOf } from "./raw-requests.ts";

const MANY = 50;
/** So often another is answered meanwhile at least; measured 26 and 44. Where it waits for all that came before it: 3 and 11. */
const OFTEN = 16;
const JSON_CALL = { "content-type": "application/json" };

/** A server that knows two principals, and what asks it over a connection of either's own. */
async function startServer() {
  await using cleanup = new AsyncDisposableStack();
  const { root } = cleanup.use(await createTestEnvironment());
  const tokens = join(root, "tokens");
  const lines = ["alice", "bob"].map((name) => tokenLine(name, name)).join("");
  await writeFile(tokens, lines, { mode: 0o600 });
  const server = cleanup.use(await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens }));
  const connectAs = (name: string) => {
    // With its first request: one that says nothing is closed after 10 s.
    let opened: ClientHttp2Session | undefined;
    cleanup.defer(() => opened?.destroy());
    return (method: string, body: Uint8Array, headers: Readonly<Record<string, string>>) =>
      new Promise<string>((resolve, reject) => {
        const authorization = `Bearer ${name}`;
        const line = { ":method": "POST", ":path": pathOf(method) };
        opened ??= connectHttp2(server.url);
        const asked = opened.request({ ...line, authorization, ...headers });
        const chunks: Buffer[] = [];
        asked.on("data", (chunk: Buffer) => chunks.push(chunk));
        asked.once("end", () => resolve(Buffer.concat(chunks).toString())).once("error", reject);
        asked.end(body);
      });
  };
  const [alice, bob] = [connectAs("alice"), connectAs("bob")];
  const owned = cleanup.move();
  return { alice, bob, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type Ask = () => Promise<string>;

/** How often another principal is answered, one request after the other, until a principal's many requests are. */
async function answersMeanwhile(ask: Ask, other: Ask): Promise<string[]> {
  // Its connection is there, and so are the threads.
  await other();
  let isOver = false;
  const all = Promise.all(Array.from({ length: MANY }, ask)).then(() => {
    isOver = true;
  });
  const answers: string[] = [];
  while (!isOver) answers.push(await other());
  await all;
  return answers;
}

it("a principal's many lists of long prompts keep nobody else waiting", async () => {
  await using server = await startServer();
  const sessionId = randomUUID();
  const streamed = { "content-type": "application/connect+json" };
  for (let turn = 0; turn < 6; turn++) {
    const request = { sessionId, prompt: `say a\n${"#".repeat(2_000_000)}` };
    await server.alice("RunTurn", enveloped(Buffer.from(JSON.stringify(request))), streamed);
  }
  const list = Buffer.from(JSON.stringify({ sessionId }));
  const answers = await answersMeanwhile(
    () => server.alice("ListTurns", list, JSON_CALL),
    () => server.bob("ListSessions", Buffer.from("{}"), JSON_CALL),
  );
  expect(new Set(answers)).toEqual(new Set(["{}"]));
  expect(answers.length).toBeGreaterThan(OFTEN);
});

it("a principal's many messages that are large once they are unpacked keep nobody else waiting", async () => {
  await using server = await startServer();
  const headers = {
    "content-type": "application/connect+json",
    "connect-content-encoding": "gzip",
  };
  // Refused once it was read.
  const request = (length: number) => `{"prompt":"${"\\u0041".repeat(length)}","sessionId":"none"}`;
  const packed = (length: number) => {
    const message = enveloped(gzipSync(request(length)));
    message[0] = 1;
    return message;
  };
  const [large, small] = [packed(1_000_000), packed(1)];
  const answers = await answersMeanwhile(
    () => server.alice("RunTurn", large, headers),
    () => server.bob("RunTurn", small, headers),
  );
  for (const answer of answers) expect(answer).toContain("session_id");
  expect(answers.length).toBeGreaterThan(OFTEN);
});
