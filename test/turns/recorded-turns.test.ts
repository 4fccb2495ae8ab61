import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { plainEvent, plainTranslation } from "../agent/claude/plain-translation.ts";
import { readTranscript, transcriptNames } from "../agent/claude/transcript.ts";
import { cases, collect, durable } from "../support/events.ts";
import { startTestServer, type TestServer } from "../support/stub-server.ts";

const FOLDER = fileURLToPath(new URL("../agent/claude/transcripts/", import.meta.url));

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ STUB_MODE: "transcript" });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test.concurrent.each(transcriptNames())(
  "%s comes over the wire as it was recorded",
  async (name) => {
    const events = await collect(server.client.runTurn({ prompt: `${FOLDER}${name}` }));
    expect(events.flatMap(({ kind }) => plainEvent(kind))).toEqual(
      plainTranslation(readTranscript(name).lines),
    );
    const sequences = events.flatMap(({ sequence }) => sequence || []);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    const kinds = cases(durable(events));
    expect(kinds.filter((kind) => kind === "session").length).toBeLessThanOrEqual(1);
    expect(kinds.filter((kind) => kind === "result" || kind === "error")).toHaveLength(1);
    expect(events.at(-1)!.kind.case).toBe(kinds.at(-1));
  },
);
