import {
  Role,
  RoleSchema,
  type Session,
  ShareAccess,
  type ShareGrantee,
} from "../../gen/breakglass/v1/session_pb.ts";
import { enumName } from "../enum-name.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { resolveSession } from "./resolve-id.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, type Printable, print } from "./terminal-text.ts";
import { UsageError } from "./usage-error.ts";

const ROLE_PREFIX = "role:";
const SHARES_CHARACTERS = 300;

/** What `share` takes. */
export interface ShareOptions extends ServerOptions {
  /** They may also run turns in it, act on them and delete it. */
  readonly operate?: boolean;
}

/** Shares a session with a principal, or with all who have a role: `role:viewer`. */
export async function share(
  session: string,
  grantee: string,
  options: ShareOptions,
): Promise<ExitStatus> {
  const access = options.operate === true ? ShareAccess.OPERATE : ShareAccess.READ;
  const request = { with: granteeOf(grantee), access };
  return callServer(options, async (client, terminal) => {
    const name = await resolveSession(client, session);
    const shared = await client.shareSession({ ...name, ...request });
    return tellShares(shared.session, terminal);
  });
}

/** Ends such a share. */
export async function unshare(
  session: string,
  grantee: string,
  options: ServerOptions,
): Promise<ExitStatus> {
  const request = { with: granteeOf(grantee) };
  return callServer(options, async (client, terminal) => {
    const name = await resolveSession(client, session);
    const unshared = await client.unshareSession({ ...name, ...request });
    return tellShares(unshared.session, terminal);
  });
}

/** Whom a session is shared with; undefined where it is with nobody, as far as the caller is told. */
export function sharesText({ shares }: Pick<Session, "shares">): Printable | undefined {
  if (shares.length === 0) return undefined;
  const named = shares.map(({ with: grantee, access }) => {
    const operates = access === ShareAccess.OPERATE ? " (operate)" : "";
    return `${nameOf(grantee)}${operates}`;
  });
  return print`shared with ${oneLine(named.join(", "), SHARES_CHARACTERS)}`;
}

async function tellShares(session: Session | undefined, terminal: Terminal): Promise<ExitStatus> {
  const text = (session && sharesText(session)) ?? print`shared with nobody`;
  await terminal.write(print`${text}\n`);
  return ExitStatus.ok;
}

function granteeOf(text: string) {
  if (!text.startsWith(ROLE_PREFIX)) {
    return { grantee: { case: "principal", value: text } as const };
  }
  const value = Object.values(Role).find(
    (role) => typeof role === "number" && `${ROLE_PREFIX}${roleName(role)}` === text,
  );
  if (value === undefined || value === Role.UNSPECIFIED) {
    throw new UsageError(`${text} is no role: it takes role:viewer, operator, approver or admin`);
  }
  return { grantee: { case: "role", value: value as Role } as const };
}

function nameOf(grantee: ShareGrantee | undefined): string {
  const { case: kind, value } = grantee?.grantee ?? { case: undefined };
  if (kind === undefined) return "somebody";
  return kind === "role" ? `${ROLE_PREFIX}${roleName(value)}` : value;
}

function roleName(role: Role): string {
  return enumName(RoleSchema, role).toLowerCase();
}
