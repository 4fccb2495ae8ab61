import {
  type BreakglassClient,
  createBreakglassClient,
  errorInfoOf,
  type ServerInfo,
} from "@breakglass/client";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { forgetToken, keepToken, readToken } from "./token-keeping.ts";

/** Whom the server takes the page's user for. */
export type Standing =
  | { readonly state: "asking" }
  /** It takes a token. `refused`: the one that was given is not one, or no more. */
  | { readonly state: "signed-out"; readonly refused: boolean }
  | { readonly state: "unreachable"; readonly error: unknown }
  | { readonly state: "signed-in"; readonly server: ServerInfo };

/**
 * Who uses the page, and the client that calls the server as them.
 *
 * 1. The token is in the header of each call and nowhere else in the page but where it is kept (`token-keeping.ts`).
 * 2. A call that is refused for its token signs out: what was shown with it is shown no more.
 */
export class Account {
  standing = $state.raw<Standing>({ state: "asking" });
  readonly client: BreakglassClient;
  #token = readToken()?.token;

  /** @param baseUrl - Where the server is: where the page is from. */
  constructor(baseUrl: string) {
    const bears: Interceptor = (next) => (request) => {
      if (this.#token !== undefined) request.header.set("authorization", `Bearer ${this.#token}`);
      return next(request).catch((error: unknown) => {
        this.heedRefusal(error); // 2.
        throw error;
      });
    };
    this.client = createBreakglassClient(
      createConnectTransport({ baseUrl, interceptors: [bears] }),
    );
  }

  /** What the server says that it is; undefined while nobody is signed in. */
  get server(): ServerInfo | undefined {
    return this.standing.state === "signed-in" ? this.standing.server : undefined;
  }

  /** Asks the server who it takes the page's user for. */
  async ask(): Promise<void> {
    try {
      const { server } = await this.client.getServerInfo({});
      this.standing = { state: "signed-in", server: server! };
    } catch (error) {
      if (!this.heedRefusal(error)) this.standing = { state: "unreachable", error };
    }
  }

  /** @param isRemembered - Also when the tab is closed. */
  async signIn(token: string, isRemembered: boolean): Promise<void> {
    this.#token = token;
    this.standing = { state: "asking" };
    await this.ask();
    if (this.server !== undefined) keepToken({ token, isRemembered });
  }

  signOut(): void {
    forgetToken();
    this.#token = undefined;
    this.standing = { state: "signed-out", refused: false };
  }

  /** Answers whether it was a refusal of who calls. */
  heedRefusal(error: unknown): boolean {
    if (ConnectError.from(error).code !== Code.Unauthenticated) return false;
    const refused = this.#token !== undefined;
    this.#token = undefined;
    forgetToken();
    this.standing = { state: "signed-out", refused };
    return true;
  }
}

/** The reason that a refusal gives, such as `ROLE_MISSING`. */
export function reasonOf(error: unknown): string | undefined {
  return errorInfoOf(error)?.reason;
}
