import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Owner } from "../../files/owner.ts";
import { launch } from "./cgroup.ts";

/** The user that agents' processes run as. */
export interface AgentUser extends Owner {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /** The program that becomes the user: util-linux's. */
  readonly setpriv: string;
}

const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv", "/usr/local/bin/setpriv"];
const GETENT = ["/usr/bin/getent", "/bin/getent"];
const TRIAL_MS = 10_000;
/** What it takes to start, to end and to own what an agent of another user is (capabilities(7)). */
const CAPABILITIES = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_FOWNER: 3,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
} as const;

/**
 * Finds a user of this machine, and tries out that a process can be started as that one.
 *
 * @param name - A name or a number.
 * @throws Error in words, which goes on from the setting's value.
 */
export function findAgentUser(name: string): AgentUser {
  if (process.platform !== "linux") throw new Error("which takes Linux");
  const user = lookUp(name);
  if (user.uid === 0)
    throw new Error("which is root: an agent must not be able to do what the server can");
  if (user.uid === process.geteuid?.()) {
    throw new Error(
      "which is the server's own user: run the server as root, and agents as another",
    );
  }
  const missing = missingCapabilities();
  if (missing.length > 0) {
    throw new Error(
      `but the server may not start processes as another user: run it as root, or with ${missing.join(", ")}`,
    );
  }
  const setpriv = SETPRIV.find((path) => existsSync(path));
  if (setpriv === undefined) throw new Error("but there is no setpriv here, which util-linux has");
  const found = { ...user, setpriv };
  const [uid, gid] = runAs(found, "id -u; id -g").split("\n");
  if (uid !== String(user.uid) || gid !== String(user.gid)) {
    throw new Error(`but ${setpriv} cannot start a process as that user`);
  }
  return found;
}

/** What a shell script prints as a user. Empty where it cannot be started. */
export function runAs(user: AgentUser, script: string, ...args: readonly string[]): string {
  const [command, ...all] = launch({ user }, "/bin/sh", ["-c", script, "sh", ...args]);
  const env = { PATH: "/usr/bin:/bin", HOME: user.home };
  const { stdout } = spawnSync(command, all, {
    encoding: "utf8",
    cwd: "/",
    env,
    timeout: TRIAL_MS,
  });
  return (stdout ?? "").trim();
}

function lookUp(name: string): Omit<AgentUser, "setpriv"> {
  const entry = entries(name).find(([entryName, , uid]) => entryName === name || uid === name);
  const [found, , uid, gid, , home, shell] = entry ?? [];
  if (found === undefined) throw new Error("who is no user of this machine");
  return {
    name: found,
    uid: Number(uid),
    gid: Number(gid),
    home: home || "/",
    shell: shell || "/bin/sh",
  };
}

/** By `getent`, which knows of directories of users too, else by the file. */
function entries(name: string): string[][] {
  const getent = GETENT.find((path) => existsSync(path));
  const text =
    getent === undefined
      ? readFileSync("/etc/passwd", "utf8")
      : spawnSync(getent, ["passwd", "--", name], { encoding: "utf8", timeout: TRIAL_MS }).stdout;
  return (text ?? "").split("\n").map((line) => line.split(":"));
}

function missingCapabilities(): string[] {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  const effective = BigInt(`0x${mask ?? "0"}`);
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => (effective & (1n << BigInt(bit))) === 0n)
    .map(([capability]) => capability);
}
