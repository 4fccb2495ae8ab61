import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../log.ts";
import { AgentPeers } from "./agent-peers.ts";
import { CgroupRoot, findCgroups } from "./cgroup.ts";
import { type FamilyOrigin, ProcessFamily } from "./process-family.ts";
import { hasProcessTable } from "./process-table.ts";
import { ProcessWatch } from "./process-watch.ts";

/** Between two tries to look for cgroups, where there is no descriptor left to look with. */
const BLIND_POLL_MS = 100;

/** Which calls of agents the server refuses, by what holds together what they start. */
const CALLS = {
  cgroup: "nothing that an agent starts may call this server",
  "environment mark":
    "nothing that an agent starts may call this server, but what sheds its mark, its parents and its session",
  "process group":
    "whatever an agent starts may call this server where it has a token: this system does not tell whose a connection is",
} as const;

/** What finds what an agent's process started: the first is surest. */
export type HeldBy = "cgroup" | "environment mark" | "process group";

/** How this machine holds together what an agent's process starts; says in the log which way is in force. */
export class ProcessFamilies {
  /** Which way is in force. */
  readonly heldBy: HeldBy;
  readonly #root: CgroupRoot | undefined;
  readonly #watch: ProcessWatch;
  readonly #log: Log;
  /** Who calls from this machine, and whether an agent does. */
  readonly peers: AgentPeers;
  #left: ReadonlyMap<string, string> | undefined;

  /** @param cgroups - False: none are made, also where they could be. */
  constructor(log: Log, cgroups = true) {
    this.#log = log;
    this.#watch = new ProcessWatch(log);
    this.peers = new AgentPeers(this.#watch);
    const root = cgroups ? CgroupRoot.find() : "they are not wanted";
    this.#root = root instanceof CgroupRoot ? root : undefined;
    void this.#root?.sweep();
    if (hasProcessTable) this.#watch.prepare();
    const marked = hasProcessTable ? "environment mark" : "process group";
    this.heldBy = this.#root ? "cgroup" : marked;
    const why = root instanceof CgroupRoot ? { directory: root.directory } : { noCgroup: root };
    const calls = CALLS[this.heldBy];
    log.info("what an agent starts is held together", { by: this.heldBy, ...why, calls });
  }

  /** Makes a process's cgroup; undefined where there is none to be had: what it starts is found all the same. */
  createCgroup(processId: string): string | undefined {
    try {
      return this.#root?.create(processId);
    } catch (error) {
      this.#log.warn("an agent gets no cgroup", { error });
      return undefined;
    }
  }

  /** There is no process of an agent's any more. */
  end(): void {
    this.#watch.end();
  }

  /** What a process that was started here has started. */
  family(origin: FamilyOrigin): ProcessFamily {
    return new ProcessFamily(origin, this.#watch);
  }

  /**
   * What is left of a process of a server before this one, and the cgroup that it was in. Resolves once that can be looked
   * for.
   */
  async leftFamily(
    processId: string,
  ): Promise<{ family: ProcessFamily; cgroup: string | undefined }> {
    this.peers.enter(processId, this.family({ processId, cgroup: undefined }));
    const cgroup = (await this.#leftCgroups()).get(processId);
    const family = this.family({ processId, cgroup });
    this.peers.enter(processId, family);
    return { family, cgroup };
  }

  async #leftCgroups(): Promise<ReadonlyMap<string, string>> {
    for (let isTold = false; ; isTold = true) {
      try {
        this.#left ??= findCgroups();
        return this.#left;
      } catch (error) {
        if (!isTold) this.#log.error("the cgroups of agents cannot be looked for", { error });
        await delay(BLIND_POLL_MS);
      }
    }
  }
}
