import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { BreakglassClient } from "#client";
import { isNotFound } from "#client";
import { allPages, PAGE_SIZE } from "./list-pages.ts";
import { OwnSessions, readSessionText, type SessionName } from "./session-names.ts";
import { UsageError } from "./usage-error.ts";

const WHOLE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Fewer would be a slip of the pen more often than an id. */
const BEGINNING = /^[0-9a-f-]{4,35}$/i;
/** So many of those that were meant perhaps are named. */
const NAMED = 5;
/** How far a turn's record may be from the time in its id. */
const LEEWAY_MS = 60_000;

/** What is no beginning of an id, whole ones too, is the server's to judge. */
function isBeginning(text: string): boolean {
  return !WHOLE.test(text) && BEGINNING.test(text);
}

/** Something that has an id, in a list that ends where no more can be meant. */
type Listed = AsyncIterable<string>;

/**
 * The id of the turn whose id begins so, among all that the caller may see. A whole id is answered as it is, and
 * so is what can be none.
 *
 * @throws UsageError where there is none, or more than one.
 */
export function resolveTurn(client: BreakglassClient, beginning: string): Promise<string> {
  return resolve("turn", beginning, (text) => turnsFrom(client, text));
}

/** As {@link resolveTurn}, of an own session, or behind `PRINCIPAL/` of another's. */
export async function resolveSession(client: BreakglassClient, text: string): Promise<SessionName> {
  const { sessionPrincipal, sessionId } = readSessionText(text);
  const found = resolve("session", sessionId, (begins) =>
    sessionsOf(client, begins, sessionPrincipal),
  );
  return { sessionPrincipal, sessionId: await found };
}

/** As {@link resolveTurn}, of an approval that waits in a turn. */
export function resolveApproval(
  client: BreakglassClient,
  turnId: string,
  beginning: string,
): Promise<string> {
  return resolve("approval that waits", beginning, () => approvalsOf(client, turnId));
}

/** The turn or the session whose id begins so: one of either, or none is meant. */
export async function resolveEither(
  client: BreakglassClient,
  beginning: string,
): Promise<{ readonly turnIds: string[]; readonly sessionIds: string[] }> {
  if (!isBeginning(beginning)) {
    return (await isTurn(client, beginning))
      ? { turnIds: [beginning], sessionIds: [] }
      : { turnIds: [], sessionIds: [beginning] };
  }
  const text = beginning.toLowerCase();
  const turnIds = await beginningWith(turnsFrom(client, text), text);
  const sessionIds = await beginningWith(sessionsOf(client, text), text);
  only("turn or session", beginning, [...turnIds, ...sessionIds]);
  return { turnIds, sessionIds };
}

async function isTurn(client: BreakglassClient, turnId: string): Promise<boolean> {
  try {
    await client.getTurn({ turnId });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function resolve(
  what: string,
  beginning: string,
  list: (text: string) => Listed,
): Promise<string> {
  if (!isBeginning(beginning)) return beginning;
  const text = beginning.toLowerCase();
  return only(what, beginning, await beginningWith(list(text), text));
}

function only(what: string, beginning: string, found: readonly string[]): string {
  const [first, ...others] = found;
  if (first === undefined) {
    throw new UsageError(`no ${what} that you may see has an id that begins with ${beginning}`);
  }
  if (others.length === 0) return first;
  const more = found.length > NAMED ? " and others" : "";
  const named = found.slice(0, NAMED).join(", ");
  throw new UsageError(`${beginning} begins the ids of more than one ${what}: ${named}${more}`);
}

async function beginningWith(ids: Listed, text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const id of ids) {
    if (id.toLowerCase().startsWith(text)) found.push(id);
    if (found.length > NAMED) break;
  }
  return found;
}

/** The turns whose ids can begin so: a UUIDv7 begins with its time, in 12 digits of milliseconds. */
async function* turnsFrom(client: BreakglassClient, text: string): Listed {
  const digits = text.replaceAll("-", "").slice(0, 12);
  const earliest = Math.max(0, Number.parseInt(digits.padEnd(12, "0"), 16) - LEEWAY_MS);
  const since = earliest > Date.now() ? undefined : timestampFromMs(earliest);
  const pages = allPages(async (pageToken) => {
    const page = { pageToken, pageSize: PAGE_SIZE };
    const request = since === undefined ? page : { ...page, since };
    const { turns, nextPageToken } = await client.listTurns(request);
    return { items: turns, nextPageToken };
  });
  for await (const { turnId, createTime } of pages) {
    yield turnId;
    if (createTime !== undefined && timestampMs(createTime) < earliest) return;
  }
}

/** The sessions whose ids begin so: of a principal, or the caller's own. */
async function* sessionsOf(client: BreakglassClient, text: string, principal = ""): Listed {
  const own = new OwnSessions(client);
  const pages = allPages(async (pageToken) => {
    const { sessions, nextPageToken } = await client.listSessions({
      pageToken,
      pageSize: PAGE_SIZE,
    });
    return { items: sessions, nextPageToken };
  });
  for await (const session of pages) {
    const { sessionId } = session;
    if (!sessionId.toLowerCase().startsWith(text)) continue;
    const isMeant = principal === "" ? await own.has(session) : session.principal === principal;
    if (isMeant) yield sessionId;
  }
}

async function* approvalsOf(client: BreakglassClient, turnId: string): Listed {
  const pages = allPages(async (pageToken) => {
    const { approvals, nextPageToken } = await client.listApprovals({
      pageToken,
      pageSize: PAGE_SIZE,
    });
    return { items: approvals, nextPageToken };
  });
  for await (const { event } of pages) {
    if (event?.turnId === turnId && event.kind.case === "approvalRequest") {
      yield event.kind.value.approvalId;
    }
  }
}
