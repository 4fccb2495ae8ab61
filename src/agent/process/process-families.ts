import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../log.ts";
import { AgentPeers } from "./agent-peers.ts";
import { type CgroupRoot, findCgroups } from "./cgroup.ts";
import { type Containment, findContainment, type HeldBy } from "./containment.ts";
import type { OwnSubtree } from "./own-subtree.ts";
import { type FamilyOrigin, ProcessFamily } from "./process-family.ts";
import type { Subtree } from "./process-looks.ts";
import { hasProcessTable } from "./process-table.ts";
import { ProcessWatch } from "./process-watch.ts";

/** Between two tries to look for cgroups, where there is no descriptor left to look with. */
const BLIND_POLL_MS = 100;
/** How long strays are killed as they are found, and how long is waited between two looks. */
const STRAYS_MS = 5000;
const STRAYS_POLL_MS = 20;

/** Holds together what agents' processes start, as this machine can. */
export class ProcessFamilies {
  /** Which way is in force. */
  readonly heldBy: HeldBy;
  readonly #root: CgroupRoot | undefined;
  readonly #subtree: OwnSubtree | undefined;
  readonly #watch: ProcessWatch;
  readonly #log: Log;
  /** Who calls from this machine, and whether an agent does. */
  readonly peers: AgentPeers;
  #left: ReadonlyMap<string, string> | undefined;

  /** @param containment - How it can. */
  constructor(log: Log, containment = findContainment()) {
    this.#log = log;
    this.#watch = new ProcessWatch(log);
    this.#root = containment.root;
    this.#subtree = containment.subtree;
    this.heldBy = containment.heldBy;
    this.peers = new AgentPeers(this.#watch, subtreeOf(containment));
    void this.#root?.sweep();
    if (hasProcessTable) this.#watch.prepare();
  }

  /** Makes a process's cgroup; undefined where there is none to be had: what it starts is found all the same. */
  createCgroup(processId: string): string | undefined {
    this.#subtree?.keep();
    try {
      return this.#root?.create(processId);
    } catch (error) {
      this.#log.warn("an agent gets no cgroup", { error });
      return undefined;
    }
  }

  /** There is no process of an agent's any more. */
  end(): void {
    this.killStrays();
    this.#subtree?.leave();
    this.#watch.end();
  }

  /** A family has no process any more. Resolves when those are ended that none can have started that is left. Never rejects. */
  async left(processId: string): Promise<void> {
    this.peers.leave(processId);
    await this.endStrays();
  }

  /**
   * Ends agents' processes of which it cannot be told whose they are, but for those that a family may have started that lives.
   * Never rejects.
   */
  async endStrays(): Promise<void> {
    const strayIn = subtreeOf({ subtree: this.#subtree });
    if (strayIn === undefined) return;
    const deadline = performance.now() + STRAYS_MS;
    let killed = 0;
    for (;;) {
      const question = { strayIn, families: this.peers.families };
      const strays = await this.#watch.killStrays(question);
      if (strays?.length === 0) break;
      killed += strays?.length ?? 0;
      if (performance.now() >= deadline) {
        this.#log.error("processes outlived SIGKILL", { strays });
        break;
      }
      await delay(strays === undefined ? BLIND_POLL_MS : STRAYS_POLL_MS);
    }
    if (killed > 0)
      this.#log.warn("processes that had left their agent's cgroup were ended", { killed });
  }

  /** Kills them without waiting, where no family is to go on. */
  killStrays(): void {
    this.#subtree?.kill();
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

/** As it is told to the thread that looks. */
function subtreeOf({ subtree }: Pick<Containment, "subtree">): Subtree | undefined {
  return subtree && { directory: subtree.directory, companions: subtree.companions };
}
