import type { Authenticator, Presented, Verdict } from "./authenticator.ts";
import { failed } from "./authenticator.ts";
import { LOCAL } from "./local-access.ts";

/** What is set about who somebody is. */
export interface SignInOptions {
  /** In the order in which they are asked. None: everyone is `local`. */
  readonly authenticators: readonly Authenticator[];
}

/**
 * Tells who makes a request.
 *
 * 1. Authenticators are asked in their order, and the first that finds something of its kind decides: what is wrong is
 *    refused, and does not fall through to weaker means.
 * 2. Where there is an authenticator, who shows nothing is nobody.
 * 3. Nothing is waited for where an authenticator does not have to wait.
 */
export class SignIn {
  readonly #authenticators: readonly Authenticator[];

  constructor({ authenticators }: SignInOptions) {
    this.#authenticators = authenticators;
  }

  /** Tells who makes a request, or why that is nobody. */
  identify(presented: Presented): Verdict | Promise<Verdict> {
    if (this.#authenticators.length === 0) return { principal: LOCAL };
    return this.#ask(presented, 0);
  }

  /** Whether somebody of that name could come; undefined: nobody knows. */
  knows(name: string): boolean | undefined {
    const answers = this.#authenticators.map((authenticator) => authenticator.knows(name));
    if (answers.includes(true)) return true;
    return answers.includes(undefined) ? undefined : false;
  }

  // 1.
  #ask(presented: Presented, from: number): Verdict | Promise<Verdict> {
    for (let index = from; index < this.#authenticators.length; index++) {
      const verdict = this.#authenticators[index]!.authenticate(presented);
      if (verdict instanceof Promise) {
        return verdict.then((found) =>
          found === undefined ? this.#ask(presented, index + 1) : found,
        );
      }
      if (verdict !== undefined) return verdict; // 3.
    }
    return failed("none", "it carries no credential"); // 2.
  }
}
