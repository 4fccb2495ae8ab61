import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import { isTerminal } from "../../../src/agent/agent.ts";
import { plainEvent, plainTranslation } from "./plain-translation.ts";
import { createReplays, type ReplayedRun, type Replays } from "./replayed-run.ts";
import { readTranscript, transcriptNames } from "./transcript.ts";

let replays: Replays;
const runs = new Map<string, Promise<ReplayedRun>>();

beforeAll(async () => {
  replays = await createReplays();
});

afterAll(() => replays[Symbol.asyncDispose]());

function replayed(name: string): Promise<ReplayedRun> {
  const run = runs.get(name) ?? replays.replay(readTranscript(name));
  runs.set(name, run);
  return run;
}

// `npx vitest run test/agent/claude/golden.test.ts -u` writes the golden files anew; read the difference before committing it.
test.each(transcriptNames())("%s", async (name) => {
  const { events, agentSessionId = null, starts } = await replayed(name);
  const durable = events.filter((kind) => kind.case !== "textDelta");
  const json = durable.map((kind, i) =>
    toJson(TurnEventSchema, create(TurnEventSchema, { sequence: i + 1, kind })),
  );
  const golden = { agentSessionId, starts, events: json };
  await expect(`${JSON.stringify(golden, null, 2)}\n`).toMatchFileSnapshot(`golden/${name}.json`);
});

test.each(transcriptNames())(
  "%s: text and tools are those of the plain translation",
  async (name) => {
    const { events } = await replayed(name);
    expect(events.flatMap(plainEvent)).toEqual(plainTranslation(readTranscript(name).lines));
  },
);

test.each(transcriptNames())("%s: every event survives the wire; one ends it", async (name) => {
  const { events } = await replayed(name);
  for (const kind of events) {
    const event = create(TurnEventSchema, { kind });
    expect(fromBinary(TurnEventSchema, toBinary(TurnEventSchema, event))).toEqual(event);
  }
  expect(events.filter(isTerminal)).toEqual(events.slice(-1));
  const cases = events.map((kind) => kind.case);
  const first = cases.indexOf("session");
  const isBefore = (kind: string) => kind === "notice" || kind === "error";
  const before = first === -1 ? cases : cases.slice(0, first);
  expect(before.filter((kind) => !isBefore(kind))).toEqual(
    first === -1 && !isBefore(cases.at(-1)!) ? ["result"] : [],
  );
  expect(cases.filter((kind) => kind === "session").length).toBeLessThanOrEqual(1);
});
