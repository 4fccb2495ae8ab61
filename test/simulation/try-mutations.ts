import { MUTATIONS } from "./mutation.ts";
import { simulate } from "./simulation.ts";
for (const [name, mutation] of MUTATIONS) {
  if (process.argv[2] && !name.includes(process.argv[2])) continue;
  let found = 0, first: string | undefined, seed = 1; const t = process.cpuUsage().user;
  for (; seed <= 200 && first === undefined; seed++) {
    const o = await simulate(seed, mutation);
    if (o.violation) first = o.violation;
  }
  console.log(`${name}: seed ${first ? seed - 1 : "NOT FOUND"} ${((process.cpuUsage().user - t) / 1e6).toFixed(1)}s — ${first}`);
}
process.exit(0);
