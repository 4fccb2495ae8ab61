import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import type { WatchTurnsResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ShareAccess } from "../../gen/breakglass/v1/session_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import type { AccessWorld, Asker, Place } from "./access-world.ts";

/** A refusal, as far as the table tells of it; undefined where the call was done. */
export type Answer =
  | { readonly reason: string; readonly metadata: Readonly<Record<string, string>> }
  | undefined;

/** Something that can be asked, as the table has it. */
export interface Call {
  /** What it takes to be done. */
  readonly turn: "runs" | "has ended";
  /** Doing it changes what others are answered. */
  readonly changes: boolean;
  ask(asker: Asker, place: Place, world: AccessWorld): Promise<Answer>;
}

const PAGE = { pageSize: 1000 };
const LEFT_OUT: Answer = { reason: "NOT_FOUND", metadata: {} };
/** Somebody whom nobody else is. */
const GRANTEE = { grantee: { case: "principal", value: "carol" } } as const;

type Ask = Call["ask"];

const reads = (ask: Ask): Call => ({ turn: "runs", changes: false, ask });
const changesTurn = (ask: Ask): Call => ({ turn: "runs", changes: true, ask });
const changesSession = (ask: Ask): Call => ({ turn: "has ended", changes: true, ask });

const nameOf = ({ sessionId, sessionPrincipal }: Place) => ({ sessionId, sessionPrincipal });

/** Every call that the table has rows of. */
export const CALLS: Readonly<Record<string, Call>> = {
  "`GetSession`": reads(({ client }, place) => answerTo(client.getSession(nameOf(place)))),
  "`ListSessions`": reads(({ client }, { sessionId }) =>
    listed(client.listSessions(PAGE), ({ sessions }) =>
      sessions.some((session) => session.sessionId === sessionId),
    ),
  ),
  "`ListTurns` of a session": reads(({ client }, place) =>
    listed(client.listTurns({ ...PAGE, ...nameOf(place) }), ({ turns }) =>
      turns.some(({ turnId }) => turnId === place.turnId),
    ),
  ),
  "`WatchSession`": reads(({ client }, place) => firstOf(client.watchSession(nameOf(place)))),
  "`GetTurn`": reads(({ client }, { turnId }) => answerTo(client.getTurn({ turnId }))),
  "`AttachTurn`": reads(({ client }, { turnId }) => firstOf(client.attachTurn({ turnId }))),
  "`ListTurns`": reads(({ client }, place) =>
    listed(client.listTurns(PAGE), ({ turns }) =>
      turns.some(({ turnId }) => turnId === place.turnId),
    ),
  ),
  "`WatchTurns`": reads(({ client }, place) => announced(client.watchTurns({}), place)),
  "`WatchTurns` of a session": reads(({ client }, place) =>
    announced(client.watchTurns(nameOf(place)), place),
  ),
  "`GET /v1/turns/{turn_id}/events`": reads(({ token }, { turnId }, { url }) =>
    answerToPlain(`${url}/v1/turns/${turnId}/events`, token),
  ),
  "`ListApprovals`": reads(({ client }, place) =>
    listed(client.listApprovals(PAGE), ({ approvals }) =>
      approvals.some(({ event }) => event?.turnId === place.turnId),
    ),
  ),
  "`RunTurn`": changesSession(({ client }, place) =>
    firstOf(client.runTurn({ prompt: "go on", ...nameOf(place) })),
  ),
  "`POST /v1/turns`": changesSession(({ token }, place, { url }) =>
    answerToPlain(`${url}/v1/turns`, token, { prompt: "go on", ...nameOf(place) }),
  ),
  "`DeleteSession`": changesSession(({ client }, place) =>
    answerTo(client.deleteSession(nameOf(place))),
  ),
  "`CancelTurn`": changesTurn(({ client }, { turnId }) => answerTo(client.cancelTurn({ turnId }))),
  "`InterruptTurn`": changesTurn(({ client }, { turnId }) =>
    answerTo(client.interruptTurn({ turnId })),
  ),
  "`SteerTurn`": changesTurn(({ client }, { turnId }) =>
    answerTo(client.steerTurn({ turnId, message: "look" })),
  ),
  "`ResolveApproval`": changesTurn(({ client }, { turnId, approvalId }) => {
    const decision = { case: "allow", value: {} } as const;
    const asked = approvalId || "0191d1f0-0000-4000-8000-000000000003";
    return answerTo(client.resolveApproval({ turnId, approvalId: asked, decision }));
  }),
  "`ShareSession`": changesTurn(({ client }, place) =>
    answerTo(client.shareSession({ ...nameOf(place), with: GRANTEE, access: ShareAccess.READ })),
  ),
  "`UnshareSession`": changesTurn(({ client }, place) =>
    answerTo(client.unshareSession({ ...nameOf(place), with: GRANTEE })),
  ),
  "`GetSpending`": reads(({ client }) => answerTo(client.getSpending({}))),
  "`ExportAudit`": reads(({ client }) => firstOf(client.exportAudit({}))),
  "`GetServerInfo`": reads(({ client }) => answerTo(client.getServerInfo({}))),
  health: reads((_asker, _place, { url }) => {
    const transport = createConnectTransport({ baseUrl: url, httpVersion: "2" });
    return answerTo(createClient(Health, transport).check({}));
  }),
  reflection: reads(({ token }, _place, { url }) => {
    const transport = createGrpcTransport({ baseUrl: url });
    const headers = { authorization: `Bearer ${token}` };
    const messageRequest = { case: "listServices", value: "" } as const;
    async function* asked() {
      yield { messageRequest };
    }
    return firstOf(
      createClient(ServerReflection, transport).serverReflectionInfo(asked(), { headers }),
    );
  }),
  "`GET /healthz`": reads(({ token }, _place, { url }) => answerToPlain(`${url}/healthz`, token)),
  "`GET /readyz`": reads(({ token }, _place, { url }) => answerToPlain(`${url}/readyz`, token)),
  "`GET /openapi.json`": reads(({ token }, _place, { url }) =>
    answerToPlain(`${url}/openapi.json`, token),
  ),
};

/** What a call is answered. */
async function answerTo(call: Promise<unknown>): Promise<Answer> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return refusalIn(error);
  }
}

/** What a stream is answered, by its first message. */
async function firstOf(stream: AsyncIterable<unknown>): Promise<Answer> {
  try {
    for await (const _message of stream) return undefined;
    throw new Error("the stream ended with nothing");
  } catch (error) {
    return refusalIn(error);
  }
}

/** What who watches is told of what there is. */
async function announced(
  stream: AsyncIterable<WatchTurnsResponse>,
  { turnId }: Place,
): Promise<Answer> {
  for await (const { change, caughtUp } of stream) {
    if (change.case === "turnStarted" || change.case === "turnChanged") {
      if (change.value.turnId === turnId) return undefined;
    }
    if (caughtUp) return LEFT_OUT;
  }
  throw new Error("the stream ended before it had caught up");
}

async function listed<T>(list: Promise<T>, has: (page: T) => boolean): Promise<Answer> {
  try {
    return has(await list) ? undefined : LEFT_OUT;
  } catch (error) {
    return refusalIn(error);
  }
}

async function answerToPlain(url: string, token: string, body?: object): Promise<Answer> {
  const abort = new AbortController();
  const json = body && {
    ...{ method: "POST", body: JSON.stringify(body) },
  };
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(url, { ...json, headers, signal: abort.signal });
  if (response.status === 200) {
    abort.abort();
    return undefined;
  }
  const { reason, metadata = {} } = (await response.json()) as NonNullable<Answer>;
  return { reason, metadata };
}

function refusalIn(error: unknown): Answer {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  if (info === undefined) throw error;
  return info;
}
