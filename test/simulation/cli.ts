import { parseArgs } from "node:util";
import { MUTATIONS } from "./mutation.ts";
import { reported } from "./outcome.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    /** Runs this one, and tells what happened in it. */
    seed: { type: "string" },
    /** Runs so many. */
    seeds: { type: "string", default: "200" },
    /** The first of them. */
    from: { type: "string", default: "1" },
    /** What is made wrong on purpose: a part of its name in mutation.ts. */
    mutation: { type: "string" },
  },
});
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const name = [...MUTATIONS.keys()].find(
  (each) => values.mutation && each.includes(values.mutation),
);
if (values.mutation !== undefined && name === undefined)
  throw new Error("there is no such mutation");

let [steps, turns, failed] = [0, 0, 0];
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(seed, name === undefined ? {} : MUTATIONS.get(name));
  steps += outcome.steps;
  turns += outcome.turns;
  if (outcome.violation !== undefined) failed++;
  if (outcome.violation !== undefined || values.seed !== undefined) console.log(reported(outcome));
}
const { user, system } = process.cpuUsage();
const seconds = ((user + system) / 1_000_000).toFixed(1);
console.log(
  `${count} seeds, ${failed} failed: ${steps} steps, ${turns} turns, ${seconds} s of processor`,
);
process.exit(failed === 0 ? 0 : 1);
