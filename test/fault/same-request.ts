import { setTimeout as delay } from "node:timers/promises";
import { valuesOf } from "../support/events.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { faultsOfPart, faultsOfTurn } from "./log-rules.ts";
import { between } from "./random.ts";
import type { FaultRow } from "./row.ts";
import { type CountedRequest, countedRequest, StartedTurn, startsOf } from "./started-turn.ts";
import { faultsWithin, Tally } from "./trials.ts";

const TRIAL_MS = 60_000;
/** How many ask at the same time. */
const ASKERS = [2, 10];
/** Trials with the same server, where nothing happens to it. */
const CALM_TRIALS = 20;

/** One request is sent many times at once: over several connections and protocols, before and after a kill. */
export const sameRequest: FaultRow = {
  name: "same-request",
  fault:
    "2 and 10 runs with the same request_id at once, over all protocols; again after a restart; in the middle of a kill -9",
  bar: "one turn, its agent started once, all streams the same bytes",
  async run(trials) {
    const tally = new Tally();
    await using ground = await createGround();
    let server = await startFaultServer(ground);
    try {
      for (let made = 0; made < trials; made++) {
        // Starting a server takes longer than all else: most trials leave it alone.
        const isKilled = made % CALM_TRIALS === 0 || made % CALM_TRIALS === 1;
        const faults = await faultsWithin(TRIAL_MS, async () => {
          const askers = ASKERS[made % ASKERS.length]!;
          if (!isKilled) return askAtOnce(server, ground, askers, tally);
          return askThroughKill(server, ground, askers, tally, async () => {
            await server.end("SIGKILL");
            server = await startFaultServer(ground);
            return server;
          });
        });
        tally.trial(faults, ground.root);
        if (faults.length > 0) ground.keep();
      }
    } finally {
      await server.end("SIGKILL");
    }
    return tally.outcome;
  },
};

async function askAtOnce(server: FaultServer, ground: Ground, askers: number, tally: Tally) {
  const request = countedRequest((token) => [`say ${token} ${between(1, 20)} ${between(0, 2)}`]);
  using asked = ask(server, request, askers);
  await asked.over();
  return faultsOf(ground, request, [asked], tally);
}

/** Some ask, the server is killed under them, others ask its successor, and again when all is over. */
async function askThroughKill(
  server: FaultServer,
  ground: Ground,
  askers: number,
  tally: Tally,
  restart: () => Promise<FaultServer>,
): Promise<string[]> {
  const request = countedRequest((token) => [`say ${token} 20 ${between(0, 3)}`]);
  using before = ask(server, request, askers);
  await delay(between(0, 80));
  const successor = await restart();
  await before.over();
  using after = ask(successor, request, askers);
  await after.over();
  using later = ask(successor, request, 1);
  await later.over();
  tally.count("trials with a kill", 1);
  return faultsOf(ground, request, [later, after, before], tally);
}

/** Those who sent the same request. Disposing lets their connections go. */
interface Asked extends Disposable {
  readonly turns: readonly StartedTurn[];
  over(): Promise<void>;
}

function ask({ url }: FaultServer, request: CountedRequest, askers: number): Asked {
  const turns = Array.from({ length: askers }, () => new StartedTurn(url, request));
  return {
    turns,
    over: async () => void (await Promise.all(turns.map((turn) => turn.over()))),
    [Symbol.dispose]() {
      for (const turn of turns) turn[Symbol.dispose]();
    },
  };
}

/** What is wrong, where the first of those who asked has read the turn to its end. */
async function faultsOf(
  { root }: Ground,
  request: CountedRequest,
  asked: readonly Asked[],
  tally: Tally,
): Promise<string[]> {
  const recordings = asked.flatMap(({ turns }) => turns.map(({ recording }) => recording));
  const turn = recordings[0]!.durable;
  const faults = faultsOfTurn(turn);
  for (const { durable } of recordings) faults.push(...faultsOfPart(durable, 0, turn));
  const readToEnd =
    asked.length === 1
      ? recordings
      : recordings.slice(0, asked[0]!.turns.length + asked[1]!.turns.length);
  const short = readToEnd.filter(({ durable }) => durable.length !== turn.length);
  if (short.length > 0) faults.push(`${short.length} of ${readToEnd.length} streams are shorter`);
  const ids = new Set(recordings.flatMap(({ turnId }) => turnId ?? []));
  if (ids.size !== 1) faults.push(`there are ${ids.size} turns: ${[...ids].join(", ")}`);
  const starts = await startsOf(root, request);
  const ran = valuesOf(turn, "text").length > 0;
  if (starts.length > 1 || (ran && starts.length === 0)) {
    faults.push(`the agent was started ${starts.length} times`);
  }
  tally.count("requests", recordings.length);
  return faults;
}
