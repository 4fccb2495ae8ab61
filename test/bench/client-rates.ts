import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { NODE_FLAGS } from "../support/program.ts";
import type { Figure } from "./figure.ts";
import { answerOf, repository } from "./program.ts";
import { writeRecordedTurn } from "./recorded-turn.ts";
import { startService } from "./service.ts";

const EVENTS = 150_002;
const ROUNDS = 4;
const LONGEST_MS = 180_000;

/** What a program that reads a turn prints: of each reading, how long it took, and the processor's time of its process. */
interface Readings {
  readonly bare: readonly Reading[];
  readonly client: readonly Reading[];
}

interface Reading {
  readonly events: number;
  readonly seconds: number;
  readonly processorSeconds: number;
}

/** A program in a language: it takes a URL, a turn's id and a number of rounds, and prints its readings as a line of JSON. */
interface RateProgram {
  readonly language: string;
  readonly command: readonly [string, ...string[]];
  readonly directory: string;
}

const PROGRAMS: readonly RateProgram[] = [
  {
    language: "TypeScript",
    command: [process.execPath, ...NODE_FLAGS, "test/bench/turn-rate.ts"],
    directory: ".",
  },
  { language: "Go", command: ["go", "run", "./internal/turnrate"], directory: "clients/go" },
  {
    language: "Python",
    command: ["python3", "dev.py", "python", "bench/turn_rate.py"],
    directory: "clients/python",
  },
];

/**
 * How many events a second each client reads of a long turn, against the bare client that is generated for its language, in
 * one process by turns, best of a few: what it costs that no event is lost, and none comes twice.
 *
 * A turn that has ended: of one that runs the server would be what is measured.
 */
export async function measureClientRates(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const lines = join(root, "turn.jsonl");
  const agent = join(root, "agent");
  await writeRecordedTurn(lines);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${lines}'\n`, { mode: 0o755 });
  await using service = await startService({ BREAKGLASS_AGENT_COMMAND: agent });
  const { turnId } = await answerOf<{ turnId: string }>([
    "test/bench/counting-client.ts",
    service.url,
  ]);
  const figures: Figure[] = [];
  for (const program of PROGRAMS) {
    const { language, command } = program;
    if (spawnSync(command[0], ["--help"]).error === undefined) {
      figures.push(...figuresOf(language, await readingsOf(program, service.url, turnId)));
    } else {
      process.stderr.write(
        `the client in ${language} is not measured: there is no ${command[0]}\n`,
      );
    }
  }
  return figures;
}

async function readingsOf(
  { language, command: [file, ...args], directory }: RateProgram,
  url: string,
  turnId: string,
): Promise<Readings> {
  const { stdout } = await promisify(execFile)(file, [...args, url, turnId, String(ROUNDS)], {
    cwd: join(repository, directory),
    timeout: LONGEST_MS,
  });
  const readings = JSON.parse(stdout) as Readings;
  for (const { events } of [...readings.bare, ...readings.client]) {
    if (events !== EVENTS) throw new Error(`${language}: ${events} events came, not ${EVENTS}`);
  }
  return readings;
}

function figuresOf(language: string, { bare, client }: Readings): Figure[] {
  return [
    {
      figure: `client in ${language}`,
      value: bestRate(client),
      unit: "events/s",
      limit: bestRate(bare),
      bar: { atLeast: 0.8 },
    },
    {
      figure: `client in ${language}, its processor's time for an event`,
      value: leastCost(client),
      unit: "µs",
      limit: leastCost(bare),
    },
  ];
}

function bestRate(readings: readonly Reading[]): number {
  return Math.max(...readings.map(({ events, seconds }) => events / seconds));
}

/** Of a client that reads as fast as the server sends, only this tells what it costs. */
function leastCost(readings: readonly Reading[]): number {
  return Math.min(
    ...readings.map(({ events, processorSeconds }) => (processorSeconds / events) * 1e6),
  );
}
