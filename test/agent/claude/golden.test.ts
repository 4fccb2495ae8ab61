import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { explainExit } from "../../../src/agent/claude/failures.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { plainEvent, plainTranslation } from "./plain-translation.ts";
import { readTranscript, type Transcript, transcriptNames } from "./transcript.ts";

// `npx vitest run test/agent/claude/golden.test.ts -u` writes the golden files anew; read the difference before committing it.
test.each(transcriptNames())("%s", async (name) => {
  const transcript = readTranscript(name);
  const { events, translation } = translate(transcript);
  const durable = events.filter((kind) => kind.case !== "textDelta");
  const json = durable.map((kind, i) =>
    toJson(TurnEventSchema, create(TurnEventSchema, { sequence: i + 1, kind })),
  );
  const { conversationUnknown, agentSessionId = null } = translation;
  const golden = { agentSessionId, conversationUnknown, events: json };
  await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(`golden/${name}.json`);
});

test.each(transcriptNames())("%s: text and tools are those of the plain translation", (name) => {
  const transcript = readTranscript(name);
  const { events } = translate(transcript);
  expect(events.flatMap(plainEvent)).toEqual(plainTranslation(transcript.lines));
});

test.each(transcriptNames())("%s: every event survives the wire; one ends it", (name) => {
  const { events, translation } = translate(readTranscript(name));
  for (const kind of events) {
    const event = create(TurnEventSchema, { kind });
    expect(fromBinary(TurnEventSchema, toBinary(TurnEventSchema, event))).toEqual(event);
  }
  const cases = events.map((kind) => kind.case);
  const ends = cases.filter((kind) => kind === "result" || kind === "error");
  expect(ends).toHaveLength(translation.conversationUnknown ? 0 : 1);
  expect(ends).toEqual(translation.conversationUnknown ? [] : cases.slice(-1));
  const first = cases.find((kind) => kind !== "notice" && kind !== "error");
  expect(translation.initialized ? "session" : first).toBe(first);
  expect(cases.filter((kind) => kind === "session")).toHaveLength(translation.initialized ? 1 : 0);
});

function translate(transcript: Transcript) {
  const { lines, agent, resumed, exitCode, signal, stderr: stderrTail } = transcript;
  const translation = new ClaudeTranslation({ agent, resumed });
  const events: EventKind[] = [];
  for (const line of lines) translation.translate(line, events);
  if (!translation.ended) {
    const { understood, initialized } = translation;
    const printed = lines.length > 0;
    const how = { exitCode, signal, stderrTail, understood, initialized, agent, printed };
    events.push({ case: "error", value: { ...explainExit(how), ...translation.spending } });
  }
  return { events, translation };
}
