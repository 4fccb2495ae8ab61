import { setTimeout as delay } from "node:timers/promises";
import { startFaultServer } from "./fault-server.ts";
import { holdStreams } from "./readers/holder.ts";
import { faultsOfPlaces } from "./readers/places.ts";
import { settledMegabytes } from "./readers/settled-memory.ts";
import { createStartGround } from "./readers/start-ground.ts";
import { startTurn } from "./readers/turns.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";

/** From so many trials on all of them are opened; the row's unit is the stream. */
const FULL_SCALE_TRIALS = 100;
const STREAMS = 10_000;
const FEW_STREAMS = 200;
const STREAMS_OF_A_CONNECTION = 100;
const BAR_KB = 60;
/** Something comes at least every 15 s; the rest is for a machine that has other things to do. */
const LONGEST_SILENCE_MS = 20_000;
/** Two checkpoints of silence, after which what opening so many streams left behind is collected or will not be. */
const IDLE_MS = 32_000;
const FEW_IDLE_MS = 16_000;
const FREE_WITHIN_MS = 240_000;
const TRIAL_MS = 600_000;

/** Clients that wait for something to happen. */
export const idleStreams: FaultRow = {
  name: "idle-streams",
  fault: "10,000 idle streams over 100 connections, on one turn and on 100; all cut",
  bar: `at most ${BAR_KB} KB of the server's memory each, a checkpoint each within 20 s; 0 left behind`,
  async run(trials) {
    const tally = new Tally();
    const isFull = trials >= FULL_SCALE_TRIALS;
    const streams = isFull ? STREAMS : FEW_STREAMS;
    for (const turns of isFull ? [1, 100] : [1]) {
      tally.trial(
        await faultsWithin(TRIAL_MS, () => runTrial(streams, turns, isFull, tally)),
        `${streams} streams on ${turns} turns`,
      );
    }
    // Each of them was opened, held, cut and opened again.
    return { ...tally.outcome, trials: tally.outcome.trials * streams };
  },
};

async function runTrial(streams: number, turns: number, isFull: boolean, tally: Tally) {
  await using ground = await createStartGround({
    BREAKGLASS_MAX_SUBSCRIPTIONS: String(streams),
    BREAKGLASS_MAX_CONCURRENT_TURNS: String(turns),
  });
  await using server = await startFaultServer(ground);
  const { url, pid } = server;
  const turnIds = await Promise.all(Array.from({ length: turns }, () => startTurn(url, ["hang"])));
  // What every stream shares, compiled code above all, is there before it is weighed.
  await faultsOfPlaces(url, turnIds, STREAMS_OF_A_CONNECTION, FREE_WITHIN_MS);
  const before = await settledMegabytes(pid);
  const connections = streams / STREAMS_OF_A_CONNECTION;
  const plan = { url, http: 2, turnIds, streams, connections, reads: true } as const;
  await using holder = await holdStreams(plan);
  await delay(isFull ? IDLE_MS : FEW_IDLE_MS);
  const kilobytes = (((await settledMegabytes(pid)) - before) * 1000) / streams;
  const { over, fewestMessages, longestSilenceMs } = await holder.look();
  tally.most(`KB a stream, ${streams} on ${turns} turns`, kilobytes);
  tally.time("longest silence", longestSilenceMs, LONGEST_SILENCE_MS);
  await holder.cut("reset");
  const faults = await faultsOfPlaces(url, turnIds, streams, FREE_WITHIN_MS);
  if (over > 0) faults.push(`${over} streams ended`);
  // The first tells that the stream is there, and that it has caught up.
  if (fewestMessages < 2) faults.push(`a stream had ${fewestMessages} messages`);
  // Fewer do not outweigh what a server that has just started takes for itself.
  if (isFull && kilobytes > BAR_KB) faults.push(`a stream takes ${kilobytes} KB`);
  return faults;
}
