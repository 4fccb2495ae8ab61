/**
 * The news of what is recorded in a store, by whichever server.
 *
 * 1. Who listens and then reads misses nothing: after each change that the read did not see the listener is called, and what
 *    is read then has it.
 * 2. A listener may be called for nothing, and once for several changes. It must not throw.
 * 3. Nothing is held for what nobody listens to.
 */
export interface Changes {
  /**
   * A turn of the session was recorded or has ended, or the session is no longer on record.
   *
   * @returns Ends the calls. Idempotent.
   */
  listenToSession(sessionKey: string, listener: () => void): () => void;
  /**
   * `listTurnChanges` has more: a turn was recorded, is in another state, or has ended, an approval is asked for or
   * decided, or a session is shared.
   *
   * @returns Ends the calls. Idempotent.
   */
  listenToTurns(listener: () => void): () => void;
  /**
   * A session is shared with somebody no longer.
   *
   * @returns Ends the calls. Idempotent.
   */
  listenToWithdrawals(listener: () => void): () => void;
  /**
   * The turn has more events, or another state.
   *
   * @returns Ends the calls. Idempotent.
   */
  listenToTurn(turnId: string, listener: () => void): () => void;
}
