import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainEvent, plainTranslation } from "../agent/claude/plain-translation.ts";
import { readTranscript, type Transcript, transcriptNames } from "../agent/claude/transcript.ts";
import { cases, collect, durable } from "../support/events.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
let connection: TestClient;
beforeAll(async () => {
  server = await startTestServer();
  connection = connect(server.url);
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

test.concurrent.each(transcriptNames())(
  "%s comes over the wire as it was recorded",
  async (name) => {
    const transcript = readTranscript(name);
    const prompt = await playing(transcript);
    const events = await collect(connection.client.runTurn({ prompt }));
    expect(events.flatMap(({ kind }) => plainEvent(kind))).toEqual(
      plainTranslation(transcript.lines),
    );
    const recorded = durable(events);
    expect(recorded.map(({ sequence }) => sequence)).toEqual(recorded.map((_, index) => index + 1));
    const kinds = cases(recorded);
    expect(kinds.filter((kind) => kind === "session").length).toBeLessThanOrEqual(1);
    expect(kinds.filter((kind) => kind === "result" || kind === "error")).toHaveLength(1);
    expect(events.at(-1)).toBe(recorded.at(-1));
  },
);

/** The prompt that has the agent print what was recorded, and end as it did. */
async function playing({ name, lines, stderr, exitCode }: Transcript): Promise<string> {
  const path = join(server.root, `${name}.jsonl`);
  await writeFile(path, Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")])));
  const complaints = stderr.split("\n").map((line) => `stderr ${line}`);
  const end = exitCode === null ? "kill SIGKILL" : `exit ${exitCode}`;
  return ["silent", `play ${path}`, ...complaints, end].join("\n");
}
