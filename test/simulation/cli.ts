import { parseArgs } from "node:util";
import { MUTATIONS } from "./mutation.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    mutation: { type: "string" },
  },
});
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;

let steps = 0;
let turns = 0;
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const outcome = await simulate(seed, MUTATIONS.get(values.mutation ?? ""));
  steps += outcome.steps;
  turns += outcome.turns;
  if (outcome.violation !== undefined) {
    failed++;
    console.log(`seed ${seed}, ${outcome.replicas} replicas: ${outcome.violation}`);
    for (const line of outcome.told) console.log(`  ${line}`);
  } else if (values.seed !== undefined) for (const line of outcome.told) console.log(`  ${line}`);
}
const cpu = process.cpuUsage();
const seconds = ((cpu.user + cpu.system) / 1_000_000).toFixed(1);
console.log(`${count} seeds, ${failed} failed: ${steps} steps, ${turns} turns, ${seconds} s of processor`);
process.exit(failed === 0 ? 0 : 1);
