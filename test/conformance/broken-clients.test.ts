import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { BREAKAGES } from "./breakages.ts";
import { runKit } from "./run-kit.ts";

const DRIVER = fileURLToPath(new URL("broken-driver.ts", import.meta.url));

/** Cases that take no server, of which each breakage is to fail only what it is about. */
const CASES = [
  "deliveries/every-kind",
  "deliveries/repeated-events",
  "deliveries/unknown-kinds",
  "ends/ended-turn-cut",
  "overviews/one-watch-of-many-calls",
  "overviews/removed-behind-a-cut",
  "overviews/the-same-filters",
  "pieces/other-text",
  "pieces/void-by-the-next-call",
  "refusals/not-found",
  "retries/internal-to-the-end",
  "starts/given-request-id",
  "starts/own-place-counts",
];

/** What each fails of those, and of cases that it alone is run with. */
const FAILED: Readonly<Record<string, readonly string[]>> = {
  "drops-an-event": [
    "deliveries/every-kind",
    "deliveries/repeated-events",
    "deliveries/unknown-kinds",
    "starts/own-place-counts",
    "cuts/behind-each-event",
  ],
  "repeats-an-event": [
    "deliveries/every-kind",
    "deliveries/repeated-events",
    "deliveries/unknown-kinds",
    "pieces/void-by-the-next-call",
    "starts/own-place-counts",
    "cuts/behind-each-event",
  ],
  "starts-twice": ["retries/internal-to-the-end", "starts/given-request-id", "cuts/lost-start"],
  "gives-up-at-the-first-cut": [
    "deliveries/repeated-events",
    "deliveries/unknown-kinds",
    "ends/ended-turn-cut",
    "overviews/one-watch-of-many-calls",
    "overviews/removed-behind-a-cut",
    "overviews/the-same-filters",
    "pieces/other-text",
    "pieces/void-by-the-next-call",
    "retries/internal-to-the-end",
    "starts/given-request-id",
    "starts/own-place-counts",
    "cuts/while-the-agent-works",
  ],
  "tries-refusals-again": ["refusals/not-found", "refusals/turn-in-progress"],
  "ignores-void-pieces": ["pieces/other-text", "pieces/void-by-the-next-call"],
  "ignores-retry-info": ["retries/retry-info"],
  "waits-through-silence": ["silence/in-the-middle"],
  "keeps-a-dead-connection": ["silence/dead-connection"],
  "attaches-from-the-beginning": [
    "deliveries/repeated-events",
    "deliveries/unknown-kinds",
    "ends/ended-turn-cut",
    "starts/own-place-counts",
  ],
  "takes-ok-for-the-end": ["ends/cut-with-ok"],
  "dies-of-unknown-kinds": ["deliveries/unknown-kinds"],
  "cancels-the-turn": ["plain/leave"],
  "watches-from-the-beginning": [
    "watching/one-watch-of-many-calls",
    "overviews/one-watch-of-many-calls",
    "overviews/removed-behind-a-cut",
    "overviews/the-same-filters",
    "overviews/while-nobody-watched",
  ],
  "watches-one-too-early": [
    "overviews/one-watch-of-many-calls",
    "overviews/removed-behind-a-cut",
    "overviews/the-same-filters",
    "overviews/behind-each-change",
  ],
  "forgets-filters": ["overviews/the-same-filters", "overviews/filtered"],
  "begins-again-by-itself": ["overviews/removed-behind-a-cut", "overviews/removed-meanwhile"],
  "hammers-the-server": ["waits/grow"],
};

describe("a client that is broken on purpose", () => {
  it("is known by what it fails", () => {
    expect(Object.keys(FAILED).toSorted()).toEqual(Object.keys(BREAKAGES).toSorted());
  });

  it.each(Object.entries(FAILED))(
    "fails where it %s, and nowhere else",
    async (breakage, failed) => {
      // Where there is no server there is nothing to cancel either.
      const common = breakage === "cancels-the-turn" ? ["deliveries/every-kind"] : CASES;
      const cases = [...new Set([...common, ...failed])];
      const { status, results } = await runKit(
        ["--protocol", "grpc", ...cases.flatMap((name) => ["--only", name])],
        [process.execPath, "--conditions=breakglass-source", DRIVER, breakage],
      );
      expect(results.map(({ name }) => name).toSorted()).toEqual(cases.toSorted());
      const found = results.filter(({ problems }) => problems.length > 0).map(({ name }) => name);
      expect(found.toSorted()).toEqual([...failed].toSorted());
      expect(status).toBe(1);
    },
    180_000,
  );
});
