import { setTimeout as delay } from "node:timers/promises";
import type { Refusal } from "../errors.ts";
import { TreeSizes } from "../files/tree-sizes.ts";
import { bytesText, quotaExceeded } from "../quota.ts";
import type { WorkspacePlace } from "../store/records.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";

/** What workspaces may hold together. 0: there is no such limit. */
export interface WorkspaceLimits {
  /** Of one principal's sessions. */
  readonly maxPrincipalWorkspaceBytes: number;
  /** Of all sessions. */
  readonly maxWorkspaceBytes: number;
}

/** After a round, and where the store cannot be asked. */
const REST_MS = 5000;
/** So many workspaces are asked for at a time. */
const PAGE = 500;

interface Measured extends WorkspacePlace {
  readonly bytes: number;
  /** By the clock of `performance.now`. */
  readonly at: number;
}

/**
 * What sessions' workspaces hold, as they were measured last: round after round, slowly, and never for a request.
 *
 * 1. What was not measured yet counts for nothing; a workspace whose session is deleted counts no more at once.
 * 2. Where all together hold too much only those are refused that hold more than their share: others cannot keep them from
 *    working.
 * 3. Where there is no limit nothing is looked at.
 */
export class WorkspaceSizes {
  readonly #surroundings: Pick<TurnSurroundings, "store" | "log">;
  readonly #limits: WorkspaceLimits;
  readonly #closing: AbortSignal;
  readonly #sizes = new TreeSizes();
  /** By their sessions' keys. */
  readonly #measured = new Map<string, Measured>();

  constructor(
    surroundings: Pick<TurnSurroundings, "store" | "log">,
    limits: WorkspaceLimits,
    closing: AbortSignal,
  ) {
    this.#surroundings = surroundings;
    this.#limits = limits;
    this.#closing = closing;
  }

  /** Measures until the server closes. Never rejects. */
  async run(): Promise<void> {
    const { maxPrincipalWorkspaceBytes, maxWorkspaceBytes } = this.#limits;
    if (maxPrincipalWorkspaceBytes === 0 && maxWorkspaceBytes === 0) return; // 3.
    while (!this.#closing.aborted) {
      await this.#round().catch((error) => {
        if (!this.#closing.aborted) {
          this.#surroundings.log.warn("workspaces cannot be measured", { error });
        }
      });
      await delay(REST_MS, undefined, { signal: this.#closing, ref: false }).catch(() => {});
    }
  }

  /** A session is off the record. */
  forget(sessionKey: string): void {
    this.#measured.delete(sessionKey); // 1.
  }

  /**
   * Why no turn can begin now in a principal's sessions.
   *
   * @param isOwn - That principal asks. Else which sessions there are is not told.
   */
  refusal(principal: string, isOwn = true): Refusal | undefined {
    const { maxPrincipalWorkspaceBytes: ofOne, maxWorkspaceBytes: ofAll } = this.#limits;
    const all = [...this.#measured.values()];
    const own = all.filter((each) => each.principal === principal);
    const used = sum(own);
    if (ofOne > 0 && used > ofOne) {
      return exceeded(own, used, ofOne, "BREAKGLASS_MAX_PRINCIPAL_WORKSPACE_BYTES", isOwn);
    }
    const share = ofAll / Math.max(1, new Set(all.map((each) => each.principal)).size);
    if (ofAll === 0 || sum(all) <= ofAll || used <= share) return undefined; // 2.
    const most = Math.floor(share);
    return exceeded(own, used, most, "a share of BREAKGLASS_MAX_WORKSPACE_BYTES", isOwn);
  }

  async #round(): Promise<void> {
    const { store } = this.#surroundings;
    const there = new Set<string>();
    let after: string | undefined = "";
    while (after !== undefined && !this.#closing.aborted) {
      const page: readonly WorkspacePlace[] = await store.listWorkspaces(
        store.lease.owner,
        PAGE,
        after,
      );
      for (const place of page) {
        there.add(place.sessionKey);
        await this.#measure(place);
        if (this.#closing.aborted) return;
      }
      after = page.length < PAGE ? undefined : page.at(-1)?.sessionKey;
    }
    for (const key of this.#measured.keys()) if (!there.has(key)) this.#measured.delete(key);
  }

  async #measure(place: WorkspacePlace): Promise<void> {
    const size = await this.#sizes.measure(place.workspace);
    if (size === undefined) return;
    const { sessionKey, sessionId, workspace } = place;
    const before = this.#measured.get(sessionKey);
    this.#measured.set(sessionKey, { ...place, bytes: size.bytes, at: performance.now() });
    if (size.isWhole || before !== undefined) return;
    const bytes = size.bytes;
    this.#surroundings.log.warn("a workspace holds more than is measured of it", {
      ...{ sessionId, workspace, bytes },
    });
  }
}

function sum(measured: readonly Measured[]): number {
  return measured.reduce((total, { bytes }) => total + bytes, 0);
}

function exceeded(
  measured: readonly Measured[],
  used: number,
  most: number,
  setBy: string,
  isOwn: boolean,
): Refusal {
  const largest = measured.toSorted((one, other) => other.bytes - one.bytes)[0]!;
  const oldest = Math.min(...measured.map(({ at }) => at));
  const ageSeconds = Math.round((performance.now() - oldest) / 1000);
  const whose = isOwn ? "your sessions'" : `the sessions' of ${largest.principal}`;
  const size = isOwn ? `; the largest has ${bytesText(largest.bytes)}` : "";
  const message = `${whose} workspaces hold ${bytesText(used)}, as measured within the last ${ageSeconds} s, and may hold ${bytesText(most)} (${setBy})${size}`;
  const sessionId = isOwn ? largest.sessionId : "";
  return quotaExceeded({ limit: "workspace_bytes", used, most, message, sessionId, ageSeconds });
}
