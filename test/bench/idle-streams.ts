import { setTimeout as delay } from "node:timers/promises";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import type { Figure } from "./figure.ts";
import { startHeldTurns } from "./held-turns.ts";
import { heldMegabytes } from "./memory.ts";
import { openStreams } from "./stream-readers.ts";

const STREAMS = 10_000;
const CONNECTIONS = 100;
const KILOBYTES = 60;
/** Long enough for a checkpoint of silence on every stream. */
const IDLE_MS = 20_000;

/** What a stream of a turn in which nothing happens holds of the server's memory. */
export async function measureIdleStreams(): Promise<Figure[]> {
  await using held = await startHeldTurns(1);
  const { pid, url } = held.service;
  const turnId = await runningTurn(url);
  const before = heldMegabytes(pid);
  await using readers = await openStreams(url, CONNECTIONS, STREAMS, turnId);
  await delay(IDLE_MS);
  const kilobytes = (heldMegabytes(pid) - before) * 1000;
  const { ended } = await readers.read();
  if (ended > 0) throw new Error(`${ended} streams ended`);
  return [
    {
      figure: "idle stream",
      value: kilobytes / STREAMS,
      unit: "KB",
      limit: KILOBYTES,
      bar: { atMost: 1 },
    },
  ];
}

async function runningTurn(url: string): Promise<string> {
  const connection = openGrpcConnection(url, undefined);
  try {
    const { sessions } = await createBreakglassClient(connection.transport).listSessions({});
    return sessions[0]?.runningTurnId ?? "";
  } finally {
    connection.close();
  }
}
