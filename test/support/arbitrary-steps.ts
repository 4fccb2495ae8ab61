import fc from "fast-check";
import type { Step } from "../turns/turn-under-test.ts";

/** Texts around what one read of the log takes (256 KiB) and what a turn keeps in memory (1 MiB, or its share of 8). */
const size = fc.oneof(
  { weight: 12, arbitrary: fc.nat(200) },
  { weight: 4, arbitrary: fc.integer({ min: 3000, max: 20_000 }) },
  { weight: 2, arbitrary: fc.constantFrom(130_000, 261_000, 262_144 - 150, 262_144, 300_000) },
  { weight: 1, arbitrary: fc.constantFrom(1_048_000, 1_100_000) },
);

const reader = fc.nat(20);

const write: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("write"),
  how: fc.oneof(
    { weight: 6, arbitrary: fc.constant("on" as const) },
    fc.constantFrom("again", "another", "void"),
  ),
  text: fc.string({ maxLength: 3 }),
});

/** What can happen to a turn and its readers, in about the shares in which it is telling. */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("say"),
      sizes: fc.array(size, { maxLength: 6 }),
      isOwn: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: write },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe"),
      after: fc.nat(30),
      textDeltas: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("read"),
      reader,
      pieces: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("resume"), reader }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("vanish", "leave"), reader }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("release"), calls: fc.nat(4) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("hold", "answer", "pass", "pass", "settle") }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("end"),
      how: fc.constantFrom("result", "result", "error", "leave", "break"),
    }),
  },
);

/** Any course of events. */
export function anySteps(): fc.Arbitrary<Step[]> {
  return fc.array(step, { minLength: 1, maxLength: 60, size: "max" });
}

/** What can happen to a turn whose text is read as it is written. */
const readingStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: write },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("say"),
      sizes: fc.array(fc.nat(20), { maxLength: 2 }),
      isOwn: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("subscribe"),
      after: fc.nat(3),
      textDeltas: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("read"),
      reader: fc.nat(4),
      pieces: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("resume"), reader: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release"), calls: fc.nat(2) }) },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constantFrom("hold", "pass", "pass", "pass", "settle") }),
  },
);

/** Any course of events in which nothing ends the turn. */
export function readingSteps(): fc.Arbitrary<Step[]> {
  return fc.array(readingStep, { minLength: 20, maxLength: 80, size: "max" });
}
