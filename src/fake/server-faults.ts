import type { FakeServer } from "./fake-server.ts";
import type { Fault, ServerFault } from "./faults.ts";

interface PlannedServerFault {
  readonly fault: ServerFault;
  left: number;
  timer: NodeJS.Timeout | undefined;
}

/** The faults that the server of a fake goes away by: each so long after a stream began, and so many times. */
export class ServerFaults {
  readonly #planned = new Set<PlannedServerFault>();
  #server: FakeServer | undefined;

  /** Is to be called once, before anything is planned. */
  serve(server: FakeServer): void {
    this.#server = server;
  }

  /** Plans those of the server; others are not for here. */
  plan(faults: readonly Fault[]): void {
    for (const fault of faults) {
      if (fault.kind !== "drain" && fault.kind !== "restart" && fault.kind !== "lost") continue;
      this.#planned.add({ fault, left: fault.times, timer: undefined });
    }
  }

  clear(): void {
    for (const { timer } of this.#planned) clearTimeout(timer);
    this.#planned.clear();
  }

  /** Somebody asked for a stream: what does not wait already begins to. */
  streamBegan(): void {
    for (const planned of this.#planned) {
      if (planned.left <= 0 || planned.timer !== undefined) continue;
      planned.timer = setTimeout(() => void this.#happen(planned), planned.fault.afterMs);
    }
  }

  async #happen(planned: PlannedServerFault): Promise<void> {
    planned.left--;
    const server = this.#server;
    // What cannot start again is told by `defect`.
    await this.#carryOut(planned.fault, server).catch(() => {});
    planned.timer = undefined;
  }

  async #carryOut({ kind }: ServerFault, server: FakeServer | undefined): Promise<void> {
    if (kind === "restart") await server?.restart();
    else await server?.drainAndStart(kind === "lost" ? 0 : undefined);
  }
}
