import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type BreakglassClient, createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import type {
  ListTurnsRequestSchema,
  WatchTurnsResponse,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { tokenLine } from "../support/test-server.ts";
import { type Figure, median, quantile } from "./figure.ts";
import { fillStore, MINUTE_MS, OLDEST_TEXT, TURNS } from "./filled-store.ts";
import { startService } from "./service.ts";

const AGENT = fileURLToPath(new URL("held-agent.sh", import.meta.url));
const PAGES = 100;
/** What is asked of a page, in milliseconds. */
const PAGE_MS = 20;
const WATCHERS = 100;
const CONNECTIONS = 4;
const CHANGES = 50;
/** What is asked of a change, in milliseconds. */
const CHANGE_MS = 50;

/** A page of a hundred thousand turns by each filter, and how long a change takes to the last of a hundred watchers. */
export async function measureOverview(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "breakglass-overview-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
  const now = Date.now();
  await fillStore(directory, now);
  const tokens = join(directory, "tokens");
  await writeFile(tokens, ["me", "boss", "guest"].map((who) => tokenLine(who, who)).join(""), {
    mode: 0o600,
  });
  const service = cleanup.use(
    await startService({
      BREAKGLASS_DATA_DIR: directory,
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_APPROVERS: "boss",
      BREAKGLASS_AGENT_COMMAND: AGENT,
      BREAKGLASS_RESERVE_BYTES: "0",
      BREAKGLASS_RETENTION_SECONDS: "0",
    }),
  );
  const clientOf = (token: string): BreakglassClient => {
    const connection = openGrpcConnection(service.url, token);
    cleanup.defer(() => connection.close());
    return createBreakglassClient(connection.transport);
  };
  const figures: Figure[] = [];
  for (const [name, token, request] of filters(now)) {
    figures.push(...(await measurePages(name, clientOf(token), request)));
  }
  const watching = Array.from({ length: CONNECTIONS }, () => clientOf("me"));
  figures.push(...(await measureWatchers(clientOf("me"), watching)));
  return figures;
}

type Filter = MessageInitShape<typeof ListTurnsRequestSchema>;

/** Of `me`, whose are half of all, of an approver, who sees those of everybody that ask, and of a guest. */
function filters(now: number): [string, string, Filter][] {
  const old = { until: timestampFromMs(now - (TURNS - 1000) * MINUTE_MS) };
  const recent = { since: timestampFromMs(now - 2000 * MINUTE_MS) };
  const lost = { states: [TurnState.LOST] };
  return [
    ["all", "me", {}],
    ["a state", "me", lost],
    ["since", "me", recent],
    ["until", "me", old],
    ["a principal", "boss", { principal: "p22" }],
    ["an origin", "me", { origin: TurnOrigin.AGENT }],
    ["a text of all", "me", { query: "gateway" }],
    ["a text of one", "me", { query: "ticket 99997" }],
    ["a text of none", "me", { query: "no such text" }],
    ["a text of the oldest turn, which asks", "boss", { query: OLDEST_TEXT }],
    ["a text and until", "me", { query: "gateway", ...old }],
    ["a text and a state", "me", { query: "service 100", ...lost }],
    ["a text, for an approver", "boss", { query: "restart" }],
    ["what is shared", "guest", {}],
    ["a principal of what is shared", "guest", { principal: "me" }],
    ["a text of what is shared", "guest", { query: "gateway" }],
    ["a text of one that is shared", "guest", { query: "ticket 99995" }],
    ["a text of the oldest turn, which is shared", "guest", { query: OLDEST_TEXT }],
    [
      "everything at once",
      "boss",
      {
        ...{ query: "region 22", principal: "p22", origin: TurnOrigin.CALLER, states: [2, 3] },
        ...{
          until: timestampFromMs(now - 1000 * MINUTE_MS),
          since: timestampFromMs(now - 90_000 * MINUTE_MS),
        },
      },
    ],
    [
      "all of a session",
      "me",
      { sessionId: "00000000-0000-4000-8000-000000000001", query: "gateway" },
    ],
  ];
}

async function measurePages(name: string, client: BreakglassClient, request: Filter) {
  const times: number[] = [];
  let found = 0;
  for (let n = 0; n < PAGES; n++) {
    const start = performance.now();
    const { turns } = await client.listTurns(request);
    times.push(performance.now() - start);
    found = turns.length;
  }
  const figure = `overview: a page of ${found}, by ${name}`;
  const common = { unit: "ms", limit: PAGE_MS };
  return [
    { figure: `${figure}, p50`, value: median(times), ...common, bar: { atMost: 1 } },
    { figure: `${figure}, p99`, value: quantile(times, 0.99), ...common },
  ];
}

/** From the request that starts or cancels a turn, which is before the commit, to the last watcher. */
async function measureWatchers(
  client: BreakglassClient,
  watching: readonly BreakglassClient[],
): Promise<Figure[]> {
  const heard = new Heard();
  const left = new AbortController();
  const ended = Array.from({ length: WATCHERS }, (_, n) =>
    heard.read(watching[n % watching.length]!.watchTurns({}, { signal: left.signal })),
  );
  await heard.all((message) => message.caughtUp);
  const started: number[] = [];
  const canceled: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const told = heard.all(({ change }) => change.case === "turnStarted");
    const asked = performance.now();
    const stream = client.runTurn({ prompt: "hold" });
    let turnId = "";
    for await (const { event } of stream) {
      turnId = event?.turnId ?? "";
      if (event?.kind.case === "session") break;
    }
    started.push((await told) - asked);
    const toldOfEnd = heard.all(({ change }) => change.case === "turnEnded");
    await client.cancelTurn({ turnId });
    const answered = performance.now();
    canceled.push((await toldOfEnd) - answered);
  }
  left.abort();
  await Promise.all(ended);
  const common = { unit: "ms", limit: CHANGE_MS };
  const name = `overview: the last of ${WATCHERS} watchers`;
  return [
    {
      figure: `${name} hears of a turn, from the request for it, p50`,
      value: median(started),
      ...common,
    },
    {
      ...{ figure: `${name} hears of a turn, from the request for it, p99`, ...common },
      ...{ value: quantile(started, 0.99), bar: { atMost: 1 } },
    },
    {
      ...{
        figure: `${name} hears of an end, from the answer that it is on record, p99`,
        ...common,
      },
      ...{ value: Math.max(0, quantile(canceled, 0.99)), bar: { atMost: 1 } },
    },
  ];
}

/** When each of many watchers heard of something. */
class Heard {
  #isWanted: (message: WatchTurnsResponse) => boolean = () => false;
  #left = 0;
  #done = Promise.withResolvers<number>();

  /** Resolves with the time at which each of them has heard of it. */
  all(isWanted: (message: WatchTurnsResponse) => boolean): Promise<number> {
    this.#isWanted = isWanted;
    this.#left = WATCHERS;
    this.#done = Promise.withResolvers();
    return this.#done.promise;
  }

  async read(stream: AsyncIterable<WatchTurnsResponse>): Promise<void> {
    try {
      for await (const message of stream) {
        if (!this.#isWanted(message)) continue;
        this.#left--;
        if (this.#left === 0) this.#done.resolve(performance.now());
      }
    } catch {
      // It was left.
    }
  }
}
