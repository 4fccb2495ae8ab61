import type { DescMethod, Message } from "@bufbuild/protobuf";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Caller } from "../identity/caller.ts";
import { sessionNameOf } from "../rpc/resources.ts";
import type { SessionName } from "../store/views.ts";

/** Where something is at home. */
export interface Home {
  /** The server's name. */
  readonly owner: string;
  /** What other replicas reach it by, `HOST:PORT`. Empty: it cannot be reached. */
  readonly address: string;
  /** It holds a lease. */
  readonly isPresent: boolean;
}

/** Knows where sessions and turns are at home. */
export interface Homes {
  /** The name of this server. */
  readonly owner: string;
  /** Whether a turn runs here, as far as that is known without asking. */
  runsHere(turnId: string): boolean;
  /** The home of a session; undefined: there is none such. */
  homeOfSession(session: SessionName): Promise<Home | undefined>;
  /** The server that runs a turn without an end; undefined: it has ended, or is not on record. */
  homeOfTurn(turnId: string): Promise<Home | undefined>;
}

/** What a call names by which its home is told. */
type Named = { readonly turnId: string } | { readonly session: SessionName };

const { method } = BreakglassService;
/** Calls of a turn that runs: its agent, its readers' text and what waits for an answer are with its home. */
const OF_TURNS = new Set<DescMethod>([
  method.attachTurn,
  method.cancelTurn,
  method.interruptTurn,
  method.steerTurn,
  method.resolveApproval,
]);
/** Calls of a session: its workspace and its agent are with its home, and it hears first of what happens. */
const OF_SESSIONS = new Set<DescMethod>([
  method.runTurn,
  method.watchSession,
  method.deleteSession,
]);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether calls of a method have a home. All else is on record, and answered anywhere. */
export function hasHome(called: DescMethod): boolean {
  return OF_TURNS.has(called) || OF_SESSIONS.has(called);
}

/** The home of a call, where that is another server's; undefined: it is here, or nobody's. Rejects as `homes` does. */
export async function elsewhere(
  homes: Homes,
  called: DescMethod,
  message: Message,
  caller: Caller,
): Promise<Home | undefined> {
  const named = nameIn(called, message, caller);
  if (named === undefined) return undefined;
  if ("turnId" in named && homes.runsHere(named.turnId)) return undefined;
  const home = await ("turnId" in named
    ? homes.homeOfTurn(named.turnId)
    : homes.homeOfSession(named.session));
  return home === undefined || home.owner === homes.owner ? undefined : home;
}

/** Undefined: it names nothing, or what cannot be a name, which is refused where it is answered. */
function nameIn(called: DescMethod, message: Message, caller: Caller): Named | undefined {
  const ids = message as Partial<Record<"turnId" | "sessionId" | "sessionPrincipal", string>>;
  const id = (OF_TURNS.has(called) ? ids.turnId : ids.sessionId) ?? "";
  if (!UUID.test(id)) return undefined;
  if (OF_TURNS.has(called)) return { turnId: id.toLowerCase() };
  const sent = { sessionId: id.toLowerCase(), sessionPrincipal: ids.sessionPrincipal ?? "" };
  return { session: sessionNameOf(sent, caller) };
}
