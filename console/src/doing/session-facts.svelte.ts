import type { Session } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";
import { type Offers, offersTo } from "../server/permissions.ts";

/**
 * What is known of the session in which something is to be done: whose it is says little of what one may do there, and its agent is no other
 * than its own. To be made while a component is.
 */
export class SessionFacts {
  /** Undefined: not told yet, or not shown to the caller. */
  session = $state.raw<Session>();
  isAsked = $state(false);
  readonly #account: Account;
  readonly #name: () => { readonly sessionId: string; readonly principal: string } | undefined;

  /** @param name - The session's. Undefined: a new one. */
  constructor(account: Account, name: SessionFacts["name"]) {
    this.#account = account;
    this.#name = name;
    $effect(() => {
      const asked = name();
      if (asked === undefined) return;
      const leaving = new AbortController();
      const { sessionId, principal: sessionPrincipal } = asked;
      account.client.getSession({ sessionId, sessionPrincipal }, leaving).then(
        (answer) => {
          this.session = answer.session;
          this.isAsked = true;
        },
        () => {
          this.isAsked = !leaving.signal.aborted;
        },
      );
      return () => leaving.abort();
    });
  }

  get name() {
    return this.#name;
  }

  /** What the caller may do there, as far as it is known. */
  get offers(): Offers {
    const caller = this.#account.server?.caller;
    const sessionPrincipal = this.#name()?.principal || (caller?.principal ?? "");
    return offersTo(caller, { sessionPrincipal, access: this.session?.access });
  }

  /** What is told of the session's agent. */
  get agent() {
    const agents = this.#account.server?.agents ?? [];
    return agents.find(({ kind }) => kind === this.session?.agentKind) ?? agents[0];
  }
}
