const CHANNEL = "breakglass.account";

/** What a window tells the browser's others of who uses them. */
type AccountMessage =
  | { readonly kind: "signed-out"; readonly principal: string }
  /** A token is remembered that the others may use. */
  | { readonly kind: "remembered" };

/** Tells the browser's other windows that somebody signed in or out, and hears it of them. */
export class AccountWindows {
  readonly #channel = globalThis.document && new BroadcastChannel(CHANNEL);

  hear(take: (message: AccountMessage) => void): void {
    this.#channel?.addEventListener("message", ({ data }) => take(data as AccountMessage));
  }

  tell(message: AccountMessage): void {
    this.#channel?.postMessage(message);
  }
}
