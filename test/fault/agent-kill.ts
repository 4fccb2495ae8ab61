import { setTimeout as delay } from "node:timers/promises";
import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { faultsOfPart, faultsOfTurn } from "./log-rules.ts";
import { between, chance, oneOf } from "./random.ts";
import type { FaultRow } from "./row.ts";
import { countedRequest, StartedTurn, startsOf } from "./started-turn.ts";
import { GONE_AFTER_RESULT_MS, killAll, survivors } from "./survivors.ts";
import { faultsWithin, Tally, Turnstile } from "./trials.ts";

const LANES = 3;
const TRIAL_MS = 30_000;
const END_MS = 1000;

/** What an agent leaves behind when it is killed. */
const LEFT_BEHIND: readonly (readonly string[])[] = [[], [], [], ["child"], ["orphan"], ["holder"]];

/** The agent is killed while its turn runs. */
export const agentKill: FaultRow = {
  name: "agent-kill",
  fault: "agent killed (SIGKILL) at a random moment, some with children and orphans",
  bar: "exactly one terminal event, AGENT_EXITED with the signal, within 1 s; 0 survivors",
  async run(trials) {
    const tally = new Tally();
    const turnstile = new Turnstile(trials);
    await using ground = await createGround();
    await using server = await startFaultServer(ground);
    const lane = async () => {
      while (turnstile.take()) {
        const faults = await faultsWithin(TRIAL_MS, () => trial(ground, server.url, tally));
        tally.trial(faults, ground.root);
        if (faults.length > 0) ground.keep();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const ended = performance.now();
    const left = await survivors(ground.root, 3 * GONE_AFTER_RESULT_MS);
    tally.time("survivors of the last gone", performance.now() - ended, GONE_AFTER_RESULT_MS);
    killAll(left);
    const { failures, ...outcome } = tally.outcome;
    const survived = left.length === 0 ? [] : [`${left.length} processes are left`];
    return { ...outcome, failures: [...failures, ...survived] };
  },
};

async function trial(ground: Ground, url: string, tally: Tally): Promise<string[]> {
  const leaves = oneOf(LEFT_BEHIND);
  const pause = between(0, 3);
  const end = chance(0.1) ? [] : ["hang"];
  const request = countedRequest((token) => [...leaves, `say ${token} 40 ${pause}`, ...end]);
  using turn = new StartedTurn(url, request);
  const [agent] = await eventually(
    () => startsOf(ground.root, request),
    (pids) => pids.length > 0,
  );
  if (agent === undefined) return ["the agent was not started"];
  await turn.recording.received(between(0, 40));
  turn.attach();
  await delay(between(0, 3));
  const killed = performance.now();
  const wasAlive = kill(agent);
  await turn.over();
  const { durable, times } = turn.recording;
  const faults = [
    ...faultsOfTurn(durable),
    ...turn.parts.flatMap(({ after, recording }) =>
      faultsOfPart(recording.durable, after, durable),
    ),
  ];
  const [error] = valuesOf(durable, "error");
  if (error === undefined) {
    // The result may have been there already when the agent was killed.
    tally.count("results given before", 1);
    return faults;
  }
  const holds = leaves.includes("holder") ? " where another holds its output" : "";
  if (wasAlive) tally.time(`told${holds}`, times.at(-1)! - killed, END_MS);
  const isRight = error.reason === ErrorReason.AGENT_EXITED && error.signal === "SIGKILL";
  const reason = `${enumName(ErrorReasonSchema, error.reason)} ${error.signal}`;
  return isRight ? faults : [...faults, `ended ${reason}: ${error.message}`];
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false; // It had exited.
  }
}
