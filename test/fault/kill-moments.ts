import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ServeProcess } from "../support/serve-process.ts";
import { between, chance, oneOf } from "./random.ts";
import { type CountedRequest, countedRequest, StartedTurn } from "./started-turn.ts";

/** Starts turns, and readers, and returns at a moment at which the server is to be killed. */
export type KillMoment = (server: ServeProcess, started: StartedTurn[]) => Promise<void>;

/** By what is going on when the server dies. */
export const KILL_MOMENTS: Readonly<Record<string, KillMoment>> = {
  /** Turns are being recorded, or their agents started. */
  async start(server, started) {
    startSome(server, started);
    await delay(between(0, 60));
  },

  /** Events come, and readers too. */
  async middle(server, started) {
    startSome(server, started);
    const { recording } = oneOf(started);
    await recording.received(between(1, 30));
    for (const turn of started) if (chance(0.7)) turn.attach();
    await recording.received(between(1, 40));
    await delay(between(0, 5));
  },

  /** The result is printed, recorded or told, or its agent exits. */
  async end(server, started) {
    const turn = start(server, started, (token) => [`say ${token} 3 ${between(0, 2)}`]);
    await turn.recording.received(4);
    turn.attach();
    await delay(between(0, 12));
  },

  /** A second turn is being recorded, in another session or in the one whose turn has just ended. */
  async second(server, started) {
    const sessionId = randomUUID();
    const first = start(server, started, (token) => [`say ${token} 2 0`], sessionId);
    if (chance(0.5)) {
      await first.recording.over;
      start(server, started, (token) => [`say ${token} 20 1`], sessionId);
    } else {
      await first.recording.received(1);
      start(server, started, (token) => [`say ${token} 20 1`]);
    }
    await delay(between(0, 30));
  },

  /** The server is being drained. */
  async drain(server, started) {
    startSome(server, started);
    await oneOf(started).recording.received(between(1, 20));
    process.kill(server.pid, "SIGTERM");
    await delay(between(0, 80));
  },
};

/** The share of turns whose agents ignore SIGTERM, and so do children and orphans of theirs. */
const DEAF_SHARE = 0.15;

/** Starts one to three turns of 40 texts, now and then of an agent that does not end by itself or when it is told to. */
function startSome(server: ServeProcess, started: StartedTurn[]): void {
  for (let left = between(1, 3); left > 0; left--) {
    const pause = between(0, 3);
    const deaf = chance(DEAF_SHARE);
    start(server, started, (token) =>
      deaf
        ? ["deaf", "child", "orphan", `say ${token} 40 ${pause}`, "hang"]
        : [`say ${token} 40 ${pause}`],
    );
  }
}

function start(
  server: ServeProcess,
  started: StartedTurn[],
  steps: (token: string) => readonly string[],
  sessionId?: string,
): StartedTurn {
  const turn = new StartedTurn(server.url, countedRequest(steps, sessionId));
  started.push(turn);
  return turn;
}

/** Whether an agent goes on until it is ended. */
export function isDeaf({ prompt }: CountedRequest): boolean {
  return prompt.includes("\ndeaf");
}
