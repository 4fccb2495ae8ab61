import { accessSync, constants, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../../log.ts";
import { CgroupRoot, findMount } from "./cgroup.ts";
import { OwnSubtree } from "./own-subtree.ts";
import { hasProcessTable } from "./process-table.ts";

/** What finds what an agent's process started: the first is surest. */
export type HeldBy = "cgroup" | "environment mark" | "process group";

/** How this machine holds together what an agent's process starts. */
export interface Containment {
  /** What nothing that an agent starts can shed, or the surest of what it can. */
  readonly heldBy: HeldBy;
  /** Where each of them gets a cgroup. Undefined: it gets none. */
  readonly root: CgroupRoot | undefined;
  /** What the server has to itself, where everybody else is an agent's. Undefined: nothing. */
  readonly subtree: OwnSubtree | undefined;
  /** Why a cgroup does not hold them, in words. Undefined: it does. */
  readonly lack: string | undefined;
}

/** The user whom agents run as. */
type AgentIds = { readonly uid: number; readonly gid: number };

/**
 * Tells how what agents start is held together here.
 *
 * A process leaves its cgroup if it may write to `cgroup.procs` of another one and of one above both (cgroups(7)). So one of
 * the server's own user, to whom `Delegate=` gives the unit's cgroup, can go anywhere in there, and root anywhere.
 *
 * @param user - Whom agents run as. Undefined: the server's own user.
 * @param cgroups - False: agents get none, also where they could.
 */
export function findContainment(user?: AgentIds, cgroups = true): Containment {
  const root = cgroups ? CgroupRoot.find() : "they are not wanted";
  const marked = hasProcessTable ? "environment mark" : "process group";
  if (!(root instanceof CgroupRoot)) {
    return { heldBy: marked, root: undefined, subtree: undefined, lack: root };
  }
  const subtree = OwnSubtree.find(root.directory);
  const isOwn = subtree instanceof OwnSubtree;
  const exit = above(root.directory).find((directory, index) => {
    return (index > 0 || !isOwn) && mayWrite(join(directory, "cgroup.procs"), user);
  });
  const shared = isOwn ? "" : `, and the server has it not to itself: ${subtree}`;
  const lack = exit && `an agent may leave its cgroup for others below ${exit}${shared}`;
  const heldBy = lack === undefined ? "cgroup" : marked;
  return { heldBy, root, subtree: isOwn ? subtree : undefined, lack };
}

/** Which calls of agents the server refuses, by what holds together what they start. */
const CALLS = {
  cgroup: "nothing that an agent starts may call this server",
  "environment mark":
    "nothing that an agent starts may call this server, but what sheds its mark, its parents and its session",
  "process group":
    "whatever an agent starts may call this server where it has a token: this system does not tell whose a connection is",
} as const;

/** As `findContainment`, and says in the log what is in force: a warning, where an agent can pass for somebody else. */
export function tellContainment(user: AgentIds | undefined, log: Log): Containment {
  const found = findContainment(user);
  const { heldBy: by, root, subtree, lack } = found;
  const calls = CALLS[by];
  const whole = subtree && { alone: "whoever else is in the server's cgroup counts as an agent's" };
  const facts = { by, directory: root?.directory, ...whole, calls };
  if (lack === undefined) log.info("what an agent starts is held together", facts);
  else {
    const mend =
      "run the server as a unit with Delegate=yes and User=, or set BREAKGLASS_AGENT_USER";
    const why = root === undefined ? { noCgroup: lack } : { lack };
    log.warn("what an agent starts is held together", { ...facts, ...why, mend });
  }
  return found;
}

/** A cgroup and those above it, as far as they can be reached from here. */
function above(directory: string): string[] {
  const top = findMount()?.point ?? directory;
  const found = [directory];
  for (let at = directory; at !== top && at !== "/"; ) {
    at = dirname(at);
    found.push(at);
  }
  return found;
}

function mayWrite(path: string, user: AgentIds | undefined): boolean {
  try {
    const { uid, gid, mode } = statSync(path);
    // Whose it is may change its mode.
    if (uid === (user?.uid ?? process.geteuid?.())) return true;
    if (user === undefined) {
      accessSync(path, constants.W_OK);
      return true;
    }
    // Which other groups that user has is not known: any but root's may be one.
    return (mode & 0o002) !== 0 || (gid !== 0 && (mode & 0o020) !== 0);
  } catch {
    return false;
  }
}
