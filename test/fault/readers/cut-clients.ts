/** Many clients that are cut again and again while they read; to be started by `startClients` with a `CutPlan`. */
import { between, chance } from "../random.ts";
import { answerAs } from "./client-process.ts";
import { type CutFindings, type CutPace, CutReader, type Seat } from "./cut-reader.ts";
import { follow } from "./followers.ts";
import { RawConnection } from "./raw-connection.ts";
import { TurnCopies, type TurnDigest } from "./turn-copies.ts";
import { WAYS, type Way } from "./ways.ts";

/** What such clients are to do. */
export interface CutPlan {
  readonly url: string;
  /** A proxy that cuts, for those that come back by themselves. */
  readonly proxyUrl: string;
  readonly turnIds: readonly string[];
  readonly clients: number;
  /** How many of them use the client of the package. */
  readonly followers: number;
  readonly pace: CutPace;
}

/** What they found. */
export interface CutAnswer extends CutFindings {
  readonly digests: Readonly<Record<string, TurnDigest>>;
}

/** So many readers of HTTP/2 share a connection, half of the time. */
const SHARING = 4;
/** One in so many reads the turn once more when it has ended, from somewhere. */
const REPLAY_SHARE = 0.25;

answerAs<CutPlan, string, CutAnswer>((plan) => {
  const copies = new TurnCopies();
  const shared = new Map<string, Seat>();
  const findings: CutFindings = { delivered: 0, cuts: {}, interrupted: 0, faults: [] };
  const read = Array.from({ length: plan.clients }, async (_, index) => {
    const turnId = plan.turnIds[index % plan.turnIds.length]!;
    const last =
      index < plan.followers
        ? await follow(plan.proxyUrl, turnId, copies, findings)
        : await readRaw(index, turnId);
    return { turnId, last };
  });

  async function readRaw(index: number, turnId: string): Promise<number> {
    const way = WAYS[index % WAYS.length]!;
    const reader = new CutReader(way, seatOf(way, index), turnId, plan.pace, copies, findings);
    const last = await reader.read(0);
    if (chance(REPLAY_SHARE)) await reader.read(between(0, last));
    return last;
  }

  function seatOf(way: Way, index: number): Seat {
    if (way.http === 1 || Math.floor(index / WAYS.length) % 2 === 0)
      return { open: () => new RawConnection(plan.url, way.http) };
    const group = `${way.name} ${Math.floor(index / WAYS.length / SHARING)}`;
    const seat = shared.get(group) ?? sharedSeat(plan.url);
    shared.set(group, seat);
    return seat;
  }

  return async () => {
    const digests: Record<string, TurnDigest> = {};
    for (const { turnId, last } of await Promise.all(read)) {
      digests[turnId] ??= copies.digest(turnId);
      const { events } = digests[turnId];
      if (last !== events) findings.faults.push(`a client of ${turnId} has ${last} of ${events}`);
    }
    return { ...findings, digests };
  };
});

function sharedSeat(url: string): Seat {
  let current: RawConnection | undefined;
  return {
    open() {
      if (!current?.isOpen) current = new RawConnection(url, 2);
      return current;
    },
  };
}
