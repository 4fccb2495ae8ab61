import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ShareAccess } from "../../gen/breakglass/v1/session_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { AgentRun, AgentTurn } from "../../src/agent/agent.ts";
import type { Role } from "../../src/identity/caller.ts";
import { ROLES as ROLE_VALUES } from "../../src/rpc/resources.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { DrivenAgent } from "../turns/driven-agent.ts";
import { request, result } from "../turns/driven-turns.ts";
import type { Standing } from "./access-table.ts";

/** An agent that asks at once where it has to, works on until it is stopped, and stops when it is told to. */
class ObedientAgent extends DrivenAgent {
  override start(turn: AgentTurn): AgentRun {
    const run = this.runOf(turn.turnId);
    run.interrupt = () => {
      run.give([result()]);
      run.leave();
    };
    if (turn.permissionMode === PermissionMode.ASK) run.give([request(randomUUID())]);
    run.start(turn);
    return run;
  }
}

/** Somebody who asks: what they say that they are, and, of the same name, what it takes to have sessions of their own. */
export interface Asker {
  readonly principal: string;
  readonly roles: readonly Role[];
  readonly token: string;
  readonly client: TestClient["client"];
  /** Of the same principal as an operator. */
  readonly asOperator: TestClient["client"];
}

/** A session, with what is asked of it. */
export interface Place {
  readonly sessionId: string;
  readonly sessionPrincipal: string;
  readonly turnId: string;
  /** Empty: the turn asks for nothing. */
  readonly approvalId: string;
  /** Of whose session it is. */
  readonly owner: TestClient["client"];
}

/** A server, an owner of sessions, and one who asks for each set of roles. */
export interface AccessWorld extends AsyncDisposable {
  readonly url: string;
  asker(roles: readonly Role[]): Asker;
  /** A session of that standing to somebody, with a turn that runs, or has ended. */
  place(standing: Standing, to: Asker, turn: "runs" | "has ended"): Promise<Place>;
}

/** Starts it, with tokens for each of the sets of roles. */
export async function startAccessWorld(
  sets: readonly (readonly Role[])[],
  settings: Readonly<Record<string, string>> = {},
): Promise<AccessWorld> {
  await using cleanup = new AsyncDisposableStack();
  const plan = () => () => ({
    ...{ byKind: new Map([["driven", new ObedientAgent()]]), defaultKind: "driven" },
    readAgain: () => {},
  });
  const server = cleanup.use(await startTestServer({}, plan));
  const tokens = join(server.root, "tokens");
  const lines = sets.flatMap((roles) => [
    withRoles(tokenOf(roles), nameOf(roles), roles),
    tokenLine(`own-${tokenOf(roles)}`, nameOf(roles)),
  ]);
  await writeFile(tokens, [tokenLine("owner", "owner"), ...lines].join(""), { mode: 0o600 });
  const given = { BREAKGLASS_TOKENS_FILE: tokens, BREAKGLASS_MAX_CONCURRENT_TURNS: "1000" };
  await server.restart({ ...given, ...settings }, plan);
  const open = (token: string) =>
    cleanup.use(connect(server.url, { authorization: `Bearer ${token}` })).client;
  const owner = open("owner");
  const askers = new Map(sets.map((roles) => [nameOf(roles), askerOf(roles, open)]));
  const owned = cleanup.move();
  return {
    url: server.url,
    asker: (roles) => askers.get(nameOf(roles))!,
    place: (standing, to, turn) => makePlace(standing, to, turn, owner),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function askerOf(roles: readonly Role[], open: (token: string) => TestClient["client"]): Asker {
  const token = tokenOf(roles);
  return {
    ...{ principal: nameOf(roles), roles, token, client: open(token) },
    asOperator: open(`own-${token}`),
  };
}

async function makePlace(
  standing: Standing,
  to: Asker,
  turn: "runs" | "has ended",
  other: TestClient["client"],
): Promise<Place> {
  const owner = standing === "own" ? to.asOperator : other;
  const permissionMode = standing === "another's" ? PermissionMode.BYPASS : PermissionMode.ASK;
  const { turnId, sessionId, approvalId } = await begin(owner, permissionMode);
  const share = shareFor(standing, to);
  await owner.shareSession({ sessionId, ...share });
  if (turn === "has ended") await owner.cancelTurn({ turnId });
  const sessionPrincipal = standing === "own" ? to.principal : "owner";
  return { sessionId, sessionPrincipal, turnId, approvalId, owner };
}

/** What is somebody else's alone is theirs to operate: none of it is to come to who asks. */
function shareFor(standing: Standing, { principal, roles }: Asker) {
  if (standing === "shared to operate") {
    const grantee = { case: "role", value: ROLE_VALUES[roles.at(-1)!] } as const;
    return { with: { grantee }, access: ShareAccess.OPERATE };
  }
  const isShared = standing === "shared to read";
  const grantee = { case: "principal", value: isShared ? principal : "somebody-else" } as const;
  return { with: { grantee }, access: isShared ? ShareAccess.READ : ShareAccess.OPERATE };
}

/** Begins a turn, which asks by then where it has to. */
export async function begin(
  owner: TestClient["client"],
  permissionMode: PermissionMode,
  session: { readonly sessionId?: string; readonly sessionPrincipal?: string } = {},
) {
  const request = { prompt: "repair", permissionMode, ...session };
  for await (const { event } of owner.runTurn(request)) {
    const { turnId, sessionId, kind } = event!;
    if (permissionMode !== PermissionMode.ASK) return { turnId, sessionId, approvalId: "" };
    if (kind.case !== "approvalRequest") continue;
    return { turnId, sessionId, approvalId: kind.value.approvalId };
  }
  throw new Error("the turn ended before it asked");
}

function nameOf(roles: readonly Role[]): string {
  return `who-is-${roles.join("-")}`;
}

function tokenOf(roles: readonly Role[]): string {
  return `token-of-${roles.join("-")}`;
}

function withRoles(token: string, principal: string, roles: readonly Role[]): string {
  return tokenLine(token, principal).replace("\n", ` roles=${roles.join(",")}\n`);
}
