import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { bash, say } from "../../src/drill/script.ts";
import { type Figure, median, quantile } from "./figure.ts";
import { type LiveService, startLiveService } from "./live-service.ts";

const INTERRUPTS = 200;
/** What is asked of one, in milliseconds. */
const BAR_MS = 150;
const SCRIPT = [
  { when: "Talk", steps: [say("and so on ".repeat(2000))] },
  { when: "Work", steps: [bash("sleep 300")] },
];

/** How long InterruptTurn takes, while the model writes and while a command runs by turns; the process has to live on. */
export async function measureInterrupt(): Promise<Figure[]> {
  await using live = await startLiveService(SCRIPT, {}, { latencyMs: 20, chunkSize: 10 });
  const times: number[] = [];
  let sessionId = "";
  let process: number | undefined;
  for (let n = 0; n < INTERRUPTS; n++) {
    const interrupted = await interruptOne(live, sessionId, n % 2 === 0 ? "Talk" : "Work");
    ({ sessionId } = interrupted);
    times.push(interrupted.ms);
    const [pid] = live.processes();
    process ??= pid;
    if (pid !== process) throw new Error("the process was replaced");
  }
  const common = { unit: "ms", limit: BAR_MS };
  return [
    { figure: "interrupt p50", value: median(times), ...common },
    { figure: "interrupt p99", value: quantile(times, 0.99), ...common, bar: { atMost: 1 } },
  ];
}

async function interruptOne({ client }: LiveService, session: string, prompt: string) {
  let interrupting: Promise<number> | undefined;
  let sessionId = session;
  const isBusy = prompt === "Talk" ? "textDelta" : "tool";
  for await (const { event } of client.runTurn({ prompt, sessionId, textDeltas: true })) {
    sessionId = event?.sessionId ?? "";
    if (event?.kind.case === isBusy) interrupting ??= interrupt(event.turnId);
  }
  if (interrupting === undefined) throw new Error(`nothing to interrupt came of ${prompt}`);
  return { sessionId, ms: await interrupting };

  async function interrupt(turnId: string): Promise<number> {
    const start = performance.now();
    const { turn } = await client.interruptTurn({ turnId });
    if (turn?.state !== TurnState.CANCELED) throw new Error(`the turn ended ${turn?.state}`);
    return performance.now() - start;
  }
}
