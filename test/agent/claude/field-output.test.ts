import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { script } from "../../support/gate.ts";
import { createWarmAgent, finish, said, valuesIn } from "./warm-agent.ts";

const RESULT = JSON.stringify({ type: "result", subtype: "success", result: "done" });
const LIMIT = JSON.stringify({ type: "rate_limit_event", rate_limit_info: { status: "allowed" } });
const KIB = 1024;
/** Longer than what is read where everybody's requests are answered. */
const LONG = JSON.stringify({ type: "result", subtype: "success", result: "y".repeat(400 * KIB) });
const WORDS = JSON.stringify({
  type: "assistant",
  message: { id: "m", content: [{ type: "text", text: "words" }] },
});

const raw = (text: string) => `raw ${JSON.stringify(text)}`;

/** What a turn is that prints this in its end, and then hangs. */
async function printed(...steps: readonly string[]) {
  await using warm = await createWarmAgent({ maxEventBytes: 1024 * KIB });
  const run = warm.agent.start(warm.newTurn(script(...steps, "hang")));
  const events = await finish(run);
  const skipped = valuesIn(events, "notice").filter(
    ({ reason }) => reason === NoticeReason.MALFORMED_OUTPUT,
  );
  return {
    said: said(events),
    results: valuesIn(events, "result").map(({ result }) => result),
    skipped: skipped.map(({ message }) => message),
  };
}

describe("a turn ends by a result that", () => {
  it.each([
    [
      "stands behind words of a wrapper",
      `[sandbox] ready ${RESULT}`,
      '16 bytes beside a message in a line: "[sandbox] ready "',
    ],
    [
      "stands behind an escape",
      `\u001b[2K${RESULT}`,
      '4 bytes beside a message in a line: "\\u001b[2K"',
    ],
    [
      "stands behind a byte order mark",
      `\ufeff${RESULT}`,
      '3 bytes beside a message in a line: "\ufeff"',
    ],
    [
      "has a piece of another object in front of it",
      `{"type":"assist${RESULT}`,
      "15 bytes beside a message",
    ],
    [
      "another's line came into, with its newline",
      `${RESULT.slice(0, 30)}${LIMIT}\n${RESULT.slice(30)}`,
      "30 bytes beside a message",
    ],
  ])("%s", async (_, line, told) => {
    const { results, skipped } = await printed(raw(`${line}\n`));
    expect(results).toEqual(["done"]);
    expect(skipped).toEqual([expect.stringContaining(told)]);
  });

  it("stands behind another object, with nothing thrown away", async () => {
    const turn = await printed(raw(`${WORDS}${RESULT}\n`));
    expect(turn).toEqual({ said: ["words"], results: ["done"], skipped: [] });
  });

  it("has an event in its middle, with nothing thrown away", async () => {
    const line = RESULT.replace("do", `do${LIMIT}`);
    expect(await printed(raw(`${line}\n`))).toEqual({ said: [], results: ["done"], skipped: [] });
  });

  it("has no newline, once the process has been silent for a second", async () => {
    expect(await printed(raw(RESULT))).toEqual({ said: [], results: ["done"], skipped: [] });
  });

  it("comes in two pieces, the first of which is no object, with a silence between them", async () => {
    const steps = [raw(RESULT.slice(0, 20)), "pause 1500", raw(RESULT.slice(20))];
    expect(await printed(...steps)).toEqual({ said: [], results: ["done"], skipped: [] });
  });

  it.each([
    ["has no newline", [LONG]],
    ["has no newline, and words around it", [`[sandbox] ${LONG} done`]],
    ["comes in two pieces", [LONG.slice(0, 300 * KIB), LONG.slice(300 * KIB)]],
  ])("is so long that a thread reads it, and %s, in silence", async (_, pieces) => {
    const steps = pieces.flatMap((piece) => ["pause 1500", raw(piece)]);
    const { results } = await printed(...steps);
    expect(results.map((result) => result.length)).toEqual([400 * KIB]);
  });

  it("a thread reads, between words, with what it has in its middle", async () => {
    const line = LONG.replace("yy", `y${WORDS}y`);
    const turn = await printed(raw(`[sandbox] ${line}${LIMIT}\n`));
    expect(turn.said).toEqual(["words"]);
    expect(turn.results).toHaveLength(1);
    expect(turn.skipped).toEqual([
      expect.stringContaining('10 bytes beside 3 messages in a line: "[sandbox] "'),
    ]);
  });
});

describe("a log on stdout", () => {
  it("is told by some notices, which count its lines", async () => {
    const { results, skipped } = await printed(
      "repeat 100000 2026-01-01T00:00:00Z INFO {still} working",
      "say words",
      raw(`${RESULT}\n`),
    );
    expect(results).toEqual(["done"]);
    expect(skipped).toHaveLength(14);
    expect(skipped.at(-1)).toContain("100000 were skipped so far");
    const [one, ...counts] = skipped
      .slice(9)
      .map((text) => Number(/printed (\d+)/.exec(text)?.[1]));
    expect(one).toBeNaN();
    expect(counts.reduce((sum, count) => sum + count, 10)).toBe(100_000);
  });

  it("is counted to its last line where the turn's end comes behind it", async () => {
    const { skipped } = await printed("repeat 100 log", "repeat 100 log", raw(`${RESULT}\n`));
    expect(skipped).toHaveLength(12);
    expect(skipped.at(-1)).toContain("100 more lines");
    expect(skipped.at(-1)).toContain("200 were skipped so far");
  });
});
