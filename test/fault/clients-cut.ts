import { startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";
import { startClients } from "./readers/client-process.ts";
import type { CutAnswer, CutPlan } from "./readers/cut-clients.ts";
import type { CutFindings, CutPace } from "./readers/cut-reader.ts";
import { CuttingProxy } from "./readers/cutting-proxy.ts";
import { readWholeTurn, startTurn } from "./readers/turns.ts";
import type { FaultRow, RowOutcome } from "./row.ts";

const MOST_CLIENTS = 1000;
const CLIENTS_OF_A_TURN = 50;
const PROCESSES = 2;
const CUTS_OF_A_CLIENT = 8;
/** The share that uses the client of the package, which costs many times what a raw reader does. */
const FOLLOWER_SHARE = 0.05;
const ROUND_MS = 600_000;

/** A turn of about 1,000 events: most of them small, some that take several packets, in trickles and in bursts. */
const BLOCKS = 20;
const SMALL_OF_A_BLOCK = 44;
const LARGE_OF_A_BLOCK = 6;
const LARGE_BYTES = 2000;
const LARGEST_BYTES = 200_000;
const TURN_BYTES = 750_000;
/** Two cores deliver so many events in a second beside being cut; what is faster only makes the readers lag. */
const MS_OF_A_CLIENT = 0.06;
const SHORTEST_MS = 5;

/** Clients lose their connections at random and come back with `after_sequence`, while the turns go on. */
export const clientsCut: FaultRow = {
  name: "clients-cut",
  fault:
    "clients of every protocol cut at random bytes and moments (RST, FIN, cancel), reattaching with after_sequence",
  bar: "0 gaps, 0 duplicates, 0 reorderings, the same bytes each time",
  async run(trials) {
    const outcomes: RowOutcome[] = [];
    for (let left = trials; left > 0; left -= MOST_CLIENTS) {
      outcomes.push(await runRound(Math.min(left, MOST_CLIENTS)));
    }
    return sumOf(outcomes);
  },
};

async function runRound(clients: number): Promise<RowOutcome> {
  await using ground = await createGround({ BREAKGLASS_MAX_CONCURRENT_TURNS: "100" });
  const pauseMs = Math.max(SHORTEST_MS, clients * MS_OF_A_CLIENT);
  const pace = paceOf(BLOCKS * SMALL_OF_A_BLOCK * pauseMs);
  const proxied: CutFindings = { delivered: 0, cuts: {}, interrupted: 0, faults: [] };
  const followers = Math.ceil(clients * FOLLOWER_SHARE);
  const proxyPace = { ...pace, cuts: followers * CUTS_OF_A_CLIENT };
  await using proxy = await CuttingProxy.open(proxyPace, proxied);
  const variables = { ...ground.variables, BREAKGLASS_ALLOWED_HOSTS: proxy.host };
  await using server = await startFaultServer({ ...ground, variables });
  proxy.target = server.url;
  const steps = stepsOf(pauseMs);
  const turnIds = await Promise.all(
    Array.from({ length: Math.ceil(clients / CLIENTS_OF_A_TURN) }, () =>
      startTurn(server.url, steps),
    ),
  );
  const plan = { url: server.url, proxyUrl: `http://${proxy.host}`, turnIds, pace };
  const answers = await runClients(plan, clients, followers);
  const faults = answers.flatMap((answer) => answer.faults);
  for (const turnId of turnIds) faults.push(...(await faultsOfTurn(server.url, turnId, answers)));
  if (faults.length > 0) ground.keep();
  return outcomeOf(clients, [...answers, proxied], faults, ground.root);
}

async function runClients(
  plan: Omit<CutPlan, "clients" | "followers">,
  clients: number,
  followers: number,
): Promise<CutAnswer[]> {
  await using processes = new AsyncDisposableStack();
  const share = (of: number, index: number) =>
    Math.floor((of * (index + 1)) / PROCESSES) - Math.floor((of * index) / PROCESSES);
  const started = Array.from({ length: PROCESSES }, (_, index) => {
    const counts = { clients: share(clients, index), followers: share(followers, index) };
    const part: CutPlan = { ...plan, ...counts };
    return processes.use(startClients<string, CutAnswer>("cut-clients.ts", part));
  });
  return await Promise.all(started.map((process) => process.ask("read to the end", ROUND_MS)));
}

/** What is wrong with a turn, as it is read now, or with what the clients have of it. */
async function faultsOfTurn(url: string, turnId: string, answers: readonly CutAnswer[]) {
  const whole = await readWholeTurn(url, turnId);
  const others = answers.flatMap(({ digests }) => digests[turnId] ?? []);
  const differing = others.filter(
    ({ events, hash }) => events !== whole.events || hash !== whole.hash,
  );
  return [
    ...whole.faults.map((fault) => `turn ${turnId}: ${fault}`),
    ...differing.map(
      ({ events }) =>
        `clients have ${events} events of turn ${turnId}, which has ${whole.events}, or others`,
    ),
  ];
}

function stepsOf(pauseMs: number): string[] {
  const block = (index: number) => [
    `say block-${index} ${SMALL_OF_A_BLOCK} ${pauseMs}`,
    `pour block-${index} ${LARGE_OF_A_BLOCK} ${LARGE_BYTES}`,
  ];
  return [
    ...Array.from({ length: BLOCKS / 2 }, (_, index) => block(index)).flat(),
    `pour middle 1 ${LARGEST_BYTES}`,
    ...Array.from({ length: BLOCKS / 2 }, (_, index) => block(BLOCKS / 2 + index)).flat(),
  ];
}

/** So that most of the cuts come before the turn's end: the mean of half of the range, and of a third for a square. */
function paceOf(turnMs: number): CutPace {
  const between = CUTS_OF_A_CLIENT + 1;
  return {
    cuts: CUTS_OF_A_CLIENT,
    withinMs: Math.ceil((2 * turnMs) / between),
    withinBytes: Math.ceil((3 * TURN_BYTES) / between),
  };
}

function outcomeOf(
  clients: number,
  findings: readonly CutFindings[],
  faults: readonly string[],
  where: string,
): RowOutcome {
  const figures: Record<string, number> = {
    clients,
    "events delivered": 0,
    "streams interrupted": 0,
  };
  let trials = 0;
  for (const { delivered, interrupted, cuts } of findings) {
    figures["events delivered"]! += delivered;
    figures["streams interrupted"]! += interrupted;
    for (const [what, count] of Object.entries(cuts)) {
      figures[what] = (figures[what] ?? 0) + count;
      trials += count;
    }
  }
  return { trials, figures, failures: faults.map((fault) => `${fault} (see ${where})`) };
}

function sumOf(outcomes: readonly RowOutcome[]): RowOutcome {
  const figures: Record<string, number> = {};
  for (const outcome of outcomes) {
    for (const [what, count] of Object.entries(outcome.figures ?? {})) {
      figures[what] = (figures[what] ?? 0) + count;
    }
  }
  return {
    trials: outcomes.reduce((sum, { trials }) => sum + trials, 0),
    failures: outcomes.flatMap(({ failures }) => failures),
    figures,
  };
}
