import { type BreakglassClient, createBreakglassClient, streamTurn } from "#client";
import { openGrpcConnection } from "#client/node";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { ConformanceCase } from "./case.ts";
import { comparable, type JsonObject } from "./case-messages.ts";
import type { FakeServer } from "./fake-server.ts";

const END_MS = 10_000;

/** What the kit's own calls are about. */
export interface TurnIds {
  readonly turnId: string;
  readonly sessionId: string;
}

/** Runs a turn of the case's before the client under test is started: to its end, or as far as its first approval. */
export async function prepareTurn(
  server: FakeServer,
  { name, before, request }: ConformanceCase,
): Promise<TurnIds> {
  // As a start of the client's that is to join it.
  const requestId = typeof request.request_id === "string" ? request.request_id : "";
  const permissionMode = before === "waiting" ? PermissionMode.ASK : PermissionMode.UNSPECIFIED;
  const run = { prompt: name, requestId, permissionMode };
  return call(server, async (client) => {
    let last: TurnEvent | undefined;
    for await (last of streamTurn(client, { run })) {
      if (before === "waiting" && last.kind.case === "approvalRequest") break;
    }
    if (last === undefined) throw new Error(`${name}: its turn has no events`);
    return { turnId: last.turnId, sessionId: last.sessionId };
  });
}

/** How many turns a session has on record. */
export async function turnCount(server: FakeServer, sessionId: string): Promise<number> {
  return call(server, async (client) => {
    const { turns } = await client.listTurns({ sessionId, pageSize: 1000 });
    return turns.length;
  });
}

/** A turn as it ended, which is waited for. */
export async function endedTurn(server: FakeServer, turnId: string): Promise<JsonObject> {
  return call(server, async (client) => {
    const signal = AbortSignal.timeout(END_MS);
    for await (const _ of streamTurn(client, { attach: { turnId } }, { signal }));
    const { turn } = await client.getTurn({ turnId });
    return comparable(TurnSchema, turn!);
  });
}

/** Answers the first approval that a turn waits for. */
export async function resolveFirst(
  server: FakeServer,
  turnId: string,
  decision: "allow" | "deny",
): Promise<void> {
  await call(server, async (client) => {
    const { approvals } = await client.listApprovals({});
    const waiting = approvals.find(({ event }) => event?.turnId === turnId)?.event?.kind;
    if (waiting?.case !== "approvalRequest") throw new Error("no approval waits");
    const { approvalId } = waiting.value;
    await client.resolveApproval({ turnId, approvalId, decision: { case: decision, value: {} } });
  });
}

/** Ends a turn. */
export async function cancelTurn(server: FakeServer, turnId: string): Promise<void> {
  await call(server, (client) => client.cancelTurn({ turnId }));
}

/** Runs another turn in a session, to its end. */
export async function runAnother(
  server: FakeServer,
  sessionId: string,
  prompt: string,
): Promise<void> {
  await call(server, async (client) => {
    for await (const _ of streamTurn(client, { run: { sessionId, prompt } }));
  });
}

/** Deletes a session. */
export async function deleteSession(server: FakeServer, sessionId: string): Promise<void> {
  await call(server, (client) => client.deleteSession({ sessionId }));
}

async function call<T>(
  { url }: FakeServer,
  make: (client: BreakglassClient) => Promise<T>,
): Promise<T> {
  const connection = openGrpcConnection(url, undefined);
  try {
    return await make(createBreakglassClient(connection.transport));
  } finally {
    connection.close();
  }
}
