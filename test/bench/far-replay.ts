import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { startDelayingProxy } from "../support/delaying-proxy.ts";
import { servePage } from "../support/page-server.ts";
import { type Figure, median } from "./figure.ts";
import { answerOf, repository } from "./program.ts";
import { writeRecordedTurn } from "./recorded-turn.ts";
import { startService } from "./service.ts";

const ROUNDS = 3;
const EVENTS = 150_000;
/** Every fourth yields none. */
const LINES = Math.ceil(EVENTS / 3) * 4;
const ROUND_TRIP_MS = 100;
const CHROMIUM = "/usr/bin/chromium";

/** What a client read of a turn. */
export interface Replayed {
  readonly events: number;
  readonly seconds: number;
}

/** A client, which reads a turn that has ended. */
interface Reader {
  readonly name: string;
  read(url: string, turnId: string): Promise<Replayed>;
}

/**
 * How many events a second come of a long turn that is read again from a server 100 ms away, against how many come from
 * one on the same machine: by each client of ours, as server-sent events, and by a page. Who is far away must be able to
 * catch up too.
 */
export async function measureFarReplay(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const turn = join(root, "turn.jsonl");
  const agent = join(root, "agent");
  await writeRecordedTurn(turn, LINES);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${turn}'\n`, { mode: 0o755 });
  const page = cleanup.use(await openPage());
  const readers = [...nodeReaders, ...(await goReaders(root)), ...pythonReaders(), ...page.readers];

  const rates = readers.map(({ name }) => ({ name, near: [] as number[], far: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    const allowed = { BREAKGLASS_ALLOWED_ORIGINS: page.origin };
    await using service = await startService({ BREAKGLASS_AGENT_COMMAND: agent, ...allowed });
    await using proxy = await startDelayingProxy(service.url, ROUND_TRIP_MS);
    const counted = ["test/bench/counting-client.ts", service.url];
    const { turnId } = await answerOf<{ turnId: string }>(counted);
    for (const [index, { read }] of readers.entries()) {
      rates[index]!.near.push(await rateOf(read(service.url, turnId)));
      rates[index]!.far.push(await rateOf(read(proxy.url, turnId)));
    }
  }
  return rates.map(({ name, near, far }) => ({
    figure: `replay over ${ROUND_TRIP_MS} ms, ${name}`,
    value: median(far),
    unit: "events/s",
    limit: median(near),
    bar: { atLeast: 0.5 },
  }));
}

async function rateOf(reading: Promise<Replayed>): Promise<number> {
  const { events, seconds } = await reading;
  if (events < EVENTS) throw new Error(`${events} events came instead of ${EVENTS}`);
  return events / seconds;
}

const nodeReaders: readonly Reader[] = [
  ["TypeScript", "test/bench/replay-client.ts"] as const,
  ["SSE", "test/bench/sse-client.ts"] as const,
].map(([name, program]) => ({ name, read: (url, turnId) => answerOf([program, url, turnId]) }));

/** None where there is no Go. */
async function goReaders(root: string): Promise<Reader[]> {
  if (!isOnPath("go")) return leftOut("Go");
  const program = join(root, "replay");
  const cwd = join(repository, "clients/go");
  await promisify(execFile)("go", ["build", "-o", program, "./internal/replay"], { cwd });
  return [{ name: "Go", read: (url, turnId) => answerOf([url, turnId], program) }];
}

/** None where there is no Python, or no environment of the client's: `npm run test:python` makes it. */
function pythonReaders(): Reader[] {
  const python = join(repository, "clients/python/.venv/bin/python");
  if (!existsSync(python)) return leftOut("Python");
  const program = "clients/python/tests/replay.py";
  return [{ name: "Python", read: (url, turnId) => answerOf([program, url, turnId], python) }];
}

/** A page in Chromium; no reader where there is none. */
async function openPage(): Promise<
  AsyncDisposable & { readonly origin: string; readonly readers: readonly Reader[] }
> {
  await using cleanup = new AsyncDisposableStack();
  const { origin } = cleanup.use(await servePage("test/bench/replay-page.ts"));
  const readers: Reader[] = [];
  if (existsSync(CHROMIUM)) {
    const args = ["--no-sandbox", "--disable-dev-shm-usage"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    cleanup.defer(() => browser.close());
    const page = await browser.newPage();
    await page.goto(origin);
    const read: Reader["read"] = (url, turnId) =>
      page.evaluate(([from, what]) => window.replayInPage(from, what), [url, turnId] as const);
    readers.push({ name: "a page", read });
  } else leftOut("a page");
  const owned = cleanup.move();
  return { origin, readers, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}

function leftOut(name: string): [] {
  process.stderr.write(`left out, for it is not there: ${name}\n`);
  return [];
}
