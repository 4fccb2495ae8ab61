import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { streamTurn } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { Environment } from "../config/environment.ts";
import { LEASE_SECONDS } from "../replicas/replicas.ts";
import type { Audience } from "./drill.ts";
import { compared, missingOfReplicas, type SeenTurn } from "./replicas-expectations.ts";
import {
  openReplicasStage,
  type ReplicasStage,
  sessionsDir,
  withClient,
} from "./replicas-stage.ts";

/** Who watches a drill of several servers. */
export interface ReplicasAudience extends Omit<Audience, "log"> {
  /** Something has happened, or is about to. */
  note(text: string): Promise<void>;
  /** A line of a server's log. */
  readonly logLine: (line: string) => void;
}

/** What a drill of several servers may have otherwise. */
export interface ReplicasDrill {
  readonly count: number;
  /** Further settings of each server, such as another agent. */
  readonly settings?: Environment;
}

/**
 * Rehearses the loss of a machine: real servers on a real PostgreSQL, behind a balancer, with the real agent and a scripted model. The one
 * where the session is at home is killed in the middle of a turn, which ends LOST; the next turn goes on elsewhere, and remembers. At
 * the end all that was seen is read again through each server. Leaves nothing behind.
 *
 * @returns what did not come, or was lost; empty where the drill succeeded.
 * @throws NoPostgresError, and whatever else kept it from being carried out.
 */
export async function runReplicasDrill(
  { count, settings = {} }: ReplicasDrill,
  audience: ReplicasAudience,
): Promise<string[]> {
  const { signal, note, logLine: log } = audience;
  await note(
    `PostgreSQL and ${count} replicas start, each with a disk of its own, behind a balancer.`,
  );
  await using stage = await openReplicasStage({ count, settings, log, signal });
  const { replicas, scenario, configPath, serial } = stage;
  const run = turnsOf(stage, audience);
  const found = await run(scenario.findPrompt);
  const home = await homeOf(stage);
  await note(
    `The session is at home on replica ${home + 1}: its workspace and its agent are there.`,
  );
  const lost = await run(scenario.repairPrompt, async (event) => {
    if (event.kind.case !== "tool") return;
    const through = (replicas.balancer.newest ?? home) + 1;
    await replicas.each[home]!.kill();
    await note(
      `Replica ${home + 1} is killed (SIGKILL); the client reads through replica ${through}. Its turn is lost when the lease is over, in ${LEASE_SECONDS} s.`,
    );
  });
  const wentOn = await run(scenario.goOnPrompt);
  const next = await homeOf(stage, home);
  await note(
    `The session is at home on replica ${next + 1} now. Replica ${home + 1} starts again on its disk.`,
  );
  await replicas.each[home]!.start();
  const turns = [found, lost, wentOn];
  const differences: string[] = [];
  for (const [index, { url }] of replicas.each.entries()) {
    const again = await readAgain(url, turns, signal);
    differences.push(...compared(turns, again).map((what) => `replica ${index + 1}: ${what}`));
  }
  const events = turns.reduce((sum, turn) => sum + turn.events.length, 0);
  if (differences.length === 0) {
    await note(
      `Lost: nothing. ${events} events were seen in ${turns.length} turns. Each was read again through each of the ${count} replicas, the same byte for byte.`,
    );
  }
  const config = await readFile(configPath, "utf8");
  return [...missingOfReplicas({ serial, config, found, lost, wentOn }), ...differences];
}

/** Runs turns of one session through the balancer, each over a connection of its own. */
function turnsOf({ replicas }: ReplicasStage, audience: ReplicasAudience) {
  const sessionId = randomUUID();
  return (prompt: string, react: (event: TurnEvent) => Promise<void> = async () => {}) =>
    withClient(replicas.url, async (client): Promise<SeenTurn> => {
      const events: TurnEvent[] = [];
      await audience.prompt(prompt);
      const run = { sessionId, prompt };
      const options = { signal: audience.signal };
      for await (const event of streamTurn(client, { run }, options)) {
        if (event.sequence > 0) events.push(event);
        await audience.event(event);
        await react(event);
      }
      return { prompt, turnId: events[0]?.turnId ?? "", events };
    });
}

async function readAgain(
  url: string,
  turns: readonly SeenTurn[],
  signal: AbortSignal,
): Promise<SeenTurn[]> {
  return withClient(url, async (client) => {
    const again: SeenTurn[] = [];
    for (const { prompt, turnId } of turns) {
      const events: TurnEvent[] = [];
      for await (const event of streamTurn(client, { attach: { turnId } }, { signal })) {
        if (event.sequence > 0) events.push(event);
      }
      again.push({ prompt, turnId, events });
    }
    return again;
  });
}

/** The index of the server whose disk has the session's workspace. */
async function homeOf({ replicas }: ReplicasStage, but?: number): Promise<number> {
  for (const [index, folder] of replicas.folders.entries()) {
    const names = index === but ? [] : await readdir(sessionsDir(folder)).catch(() => []);
    if (names.length > 0) return index;
  }
  throw new Error("no replica has the session's workspace");
}
