import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../errors.ts";
import { giveDirectory, type Owner } from "../files/owner.ts";
import { keepTranscript, type TranscriptSurroundings } from "./keep-transcript.ts";
import { restoreTranscript } from "./restore-transcript.ts";
import type { BroughtSession, MovedSession, SessionMoves } from "./session-moves.ts";
import { TranscriptKeeper } from "./transcript-keeper.ts";

/** How long a store that is away is waited for, by a turn that waits for its conversation, and how often it is asked. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 500;
/** So many sessions are listed at once. */
const PAGE = 100;

/** What sessions are moved within. */
export interface MoveSurroundings extends TranscriptSurroundings {
  /** Whose workspaces are. Undefined: the server's own. */
  readonly filesOwner?: Owner | undefined;
}

/** Has sessions that move keep their conversations, by what the store has of their agents' records. Their workspaces are empty. */
export class TranscriptMoves implements SessionMoves {
  readonly #surroundings: MoveSurroundings;
  readonly #keeper: TranscriptKeeper;
  readonly #keeps: boolean;

  /** @param keeps - False: what was kept is brought, and nothing further is kept. */
  constructor(surroundings: MoveSurroundings, keeps = true) {
    this.#surroundings = surroundings;
    this.#keeps = keeps;
    const keep = (session: MovedSession) => keepTranscript(session, surroundings);
    this.#keeper = new TranscriptKeeper(keep, surroundings.log);
  }

  async bring(session: MovedSession): Promise<BroughtSession> {
    const { sessionId, workspace } = session;
    const { log, filesOwner } = this.#surroundings;
    // A mistake here (a file in its place, no permission) is for the agent to find and to explain.
    await mkdir(workspace, { recursive: true, mode: 0o700 }).catch(() => {});
    if (filesOwner !== undefined) await giveDirectory(workspace, filesOwner).catch(() => {});
    try {
      const why = await this.#restore(session);
      if (why === undefined) {
        log.info("a session's conversation was restored", { sessionId });
        return { remembers: true };
      }
      log.warn("a session's conversation is not restored", { sessionId, why });
    } catch (error) {
      log.error("a session's conversation cannot be restored", { sessionId, error });
    }
    return { remembers: false };
  }

  keep(session: MovedSession): void {
    if (this.#keeps) this.#keeper.keep(session);
  }

  drain(ms: number): Promise<void> {
    return this.#keeper.drain(ms);
  }

  /** Keeps what a server before this one did not come to keep of the sessions at home here. Never rejects. */
  async recover(): Promise<void> {
    const { store, log } = this.#surroundings;
    if (!this.#keeps) return;
    try {
      for (let after = ""; ; ) {
        const unkept = await store.listUnkept(store.lease.owner, PAGE, after);
        for (const { agentSessionId, ...session } of unkept) {
          this.keep({ ...session, conversationId: agentSessionId });
        }
        if (unkept.length < PAGE) return;
        after = unkept.at(-1)!.sessionKey;
        await this.#keeper.settled(PAGE);
      }
    } catch (error) {
      log.warn("the conversations that are not kept cannot be listed", { error });
    }
  }

  async #restore(session: MovedSession): Promise<string | undefined> {
    const begun = performance.now();
    for (;;) {
      try {
        return await restoreTranscript(session, this.#surroundings);
      } catch (error) {
        const isStorage = error instanceof Refusal && error.reason === "STORAGE";
        if (!isStorage || performance.now() - begun > PATIENCE_MS) throw error;
        await delay(AGAIN_MS);
      }
    }
  }
}
