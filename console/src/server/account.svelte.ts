import {
  type BreakglassClient,
  createBreakglassClient,
  errorInfoOf,
  type ServerInfo,
} from "@breakglass/client";
import type { Interceptor, StreamResponse } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { tick } from "svelte";
import { AccountWindows } from "./account-windows.ts";
import { Copy, canDigest, digestOf, forgetCopy, forgetHolders, readServer } from "./copy/copy.ts";
import { copyCalls } from "./copy/copy-calls.ts";
import { forgetAll, registerKeepingPlace } from "./keeping.ts";
import { type Away, isUnauthenticated, meaningOf, type Standing } from "./standing.ts";
import { forgetToken, keepToken, readToken } from "./token-keeping.ts";

type Answered = Awaited<ReturnType<ReturnType<Interceptor>>>;
type Message = StreamResponse["message"] extends AsyncIterable<infer M> ? M : never;

/** A server that takes the call and says nothing is one that does not answer. */
const ANSWER_MS = 15_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 10_000;
/** Streams that are open go on when their token is revoked: so often the server is asked whether it is. */
const ASK_AGAIN_MS = 60_000;

/**
 * Who uses the page, and the client that calls the server as them.
 *
 * 1. The token is in the header of each call and nowhere else in the page but where it is kept (`token-keeping.ts`).
 * 2. A call that is refused for its token signs out: what was shown with it is shown no more. The refusal of a token that is not the
 *    page's any more changes nothing.
 * 3. A token is kept once the server has taken it, and not before.
 */
export class Account {
  standing = $state.raw<Standing>({ state: "asking" });
  readonly client: BreakglassClient;
  #token = readToken()?.token;
  /** Whether the token is remembered beyond the tab, or is to be. */
  #isRemembered = readToken()?.isRemembered ?? false;
  /** Somebody has just given the token, and the server has not been heard of it. */
  #isNew = false;
  readonly #windows = new AccountWindows();
  /** Which question counts: an answer to an earlier one is of no interest. */
  #question = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;
  #awaySince: Date | undefined;
  #copy: Copy | undefined;
  #stay = new AbortController();

  /** @param baseUrl - Where the server is: where the page is from. */
  constructor(baseUrl: string) {
    const bears: Interceptor = (next) => (request) => {
      const token = this.#token;
      if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
      const heed = (error: unknown) => {
        if (token === this.#token) this.heedRefusal(error); // 2.
      };
      return next(request).then(
        (response) => heeding(response, heed),
        (error: unknown) => {
          heed(error);
          throw error;
        },
      );
    };
    this.client = createBreakglassClient(
      createConnectTransport({
        baseUrl,
        // A long turn is read in half the time that it takes as JSON.
        useBinaryFormat: true,
        interceptors: [copyCalls(() => this.copy), bears],
      }),
    );
    this.#windows.hear((message) => {
      if (message.kind === "remembered") this.#takeRemembered();
      else if (this.#isOf(message.principal)) this.#leave("signed-out");
    });
    registerKeepingPlace({ forget: forgetCopy });
    this.#watch();
  }

  /** Aborts when the page is another person's, or nobody's: what the one before was about to do is not done in the name of the next. */
  get stay(): AbortSignal {
    return this.#stay.signal;
  }

  /** What the server says that it is; undefined while nobody is signed in. */
  get server(): ServerInfo | undefined {
    return this.standing.state === "signed-in" ? this.standing.server : undefined;
  }

  /** Whose windows see the same: those who are the same principal with the same roles. */
  get watchName(): string {
    const { principal = "", roles = [] } = this.server?.caller ?? {};
    return `breakglass.watch ${JSON.stringify([principal, ...roles.toSorted()])}`;
  }

  /** Set while the server has not answered yet, and what it said before is shown. */
  get away(): Away | undefined {
    return this.standing.state === "signed-in" ? this.standing.away : undefined;
  }

  /** Where what one sees is kept beyond the tab. Undefined: nowhere, as the token is not remembered, or nobody is signed in. */
  get copy(): Copy | undefined {
    const principal = this.server?.caller?.principal;
    if (principal === undefined || !this.#mayKeep) return undefined;
    if (this.#copy?.principal !== principal) this.#copy = new Copy(principal);
    return this.#copy;
  }

  /** A token is remembered, or none is needed. */
  get #mayKeep(): boolean {
    return this.#token === undefined || (this.#isRemembered && canDigest());
  }

  /** Whether the page is used by that principal, or may be: the server has not said whose the token is that was kept. */
  #isOf(principal: string): boolean {
    if (this.server !== undefined) return this.server.caller?.principal === principal;
    return this.#token !== undefined && !this.#isNew;
  }

  /** Asks the server who it takes the page's user for, and again for as long as it does not answer. */
  async ask(): Promise<void> {
    const question = ++this.#question;
    clearTimeout(this.#retryTimer);
    try {
      const { server } = await this.client.getServerInfo({}, { timeoutMs: ANSWER_MS });
      if (question === this.#question) this.#signedIn(server!);
    } catch (error) {
      if (question === this.#question) this.#heedFailure(error);
    }
  }

  /** @param isRemembered - Also when the tab is closed. */
  async signIn(token: string, isRemembered: boolean): Promise<void> {
    this.#token = token;
    this.#isRemembered = isRemembered;
    this.#isNew = true;
    this.standing = { state: "asking" };
    await this.ask();
  }

  /** Forgets the token and all that the page keeps for who had it, in all windows of the browser. */
  signOut(): void {
    const principal = this.server?.caller?.principal;
    if (principal !== undefined) this.#windows.tell({ kind: "signed-out", principal });
    this.#leave("signed-out");
    forgetToken();
  }

  /** Answers whether it was a refusal of who calls. */
  heedRefusal(error: unknown): boolean {
    if (!isUnauthenticated(error)) return false;
    if (this.standing.state !== "signed-out") {
      this.#leave(this.#token === undefined ? "token-needed" : "token-refused");
    }
    return true;
  }

  #signedIn(server: ServerInfo): void {
    this.#awaySince = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    const before = this.server?.caller?.principal;
    if (before !== undefined && before !== server.caller?.principal) this.#endStay();
    this.standing = { state: "signed-in", server };
    this.#isNew = false;
    const token = this.#token;
    const { copy } = this;
    if (copy !== undefined) void digestOf(token).then((digest) => copy.keepServer(digest, server));
    if (token === undefined || readToken()?.token === token) return;
    keepToken({ token, isRemembered: this.#isRemembered }); // 3.
    if (this.#isRemembered) this.#windows.tell({ kind: "remembered" });
  }

  #heedFailure(error: unknown): void {
    const meaning = meaningOf(error);
    if (meaning === "unauthenticated") this.heedRefusal(error);
    else if (meaning === "refused") this.standing = { state: "refused", error };
    else this.#retry(error);
  }

  /** What is shown already stays: its streams tell that they are lost, and come back by themselves. */
  #retry(error: unknown): void {
    this.#awaySince ??= new Date();
    const since = this.#awaySince;
    const waitMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
    this.#retryTimer = setTimeout(() => void this.ask(), waitMs);
    if (this.standing.state === "signed-in") return;
    const retryTime = new Date(Date.now() + waitMs);
    this.standing = { state: "unreachable", error, since, retryTime };
    if (this.#mayKeep) void this.#showKept(since);
  }

  /** Shows what is kept of who has the token, while the server is away. */
  async #showKept(since: Date): Promise<void> {
    const question = this.#question;
    const kept = await readServer(await digestOf(this.#token));
    if (kept === undefined || question !== this.#question) return;
    if (this.standing.state !== "unreachable") return;
    const { server, time: asOf } = kept;
    this.standing = { state: "signed-in", server, away: { since, asOf } };
  }

  #leave(why: Extract<Standing, { state: "signed-out" }>["why"]): void {
    const principal = this.server?.caller?.principal;
    const token = this.#token;
    this.#endStay();
    this.#question++;
    clearTimeout(this.#retryTimer);
    this.#token = undefined;
    this.#isRemembered = false;
    this.#awaySince = undefined;
    if (token !== undefined) {
      forgetToken(token);
      // Whose it was may not have been said in this window.
      if (canDigest()) void digestOf(token).then((digest) => forgetHolders(digest));
    }
    this.standing = { state: "signed-out", why };
    const copy = this.#copy;
    this.#copy = undefined;
    void copy?.forget();
    if (principal === undefined || why !== "signed-out") return;
    void forgetAll(principal);
    // Views that go keep a last word.
    void tick().then(() => forgetAll(principal));
  }

  #endStay(): void {
    this.#stay.abort();
    this.#stay = new AbortController();
  }

  /** Another window has a token that is remembered now: a page that waits for one takes it. */
  #takeRemembered(): void {
    const remembered = readToken();
    if (this.standing.state !== "signed-out" || remembered === undefined) return;
    void this.signIn(remembered.token, remembered.isRemembered);
  }

  /** Looks again when there may be news of the network, and now and then whether one is still signed in. */
  #watch(): void {
    globalThis.addEventListener?.("online", () => {
      if (this.#awaySince !== undefined) void this.ask();
    });
    if (globalThis.document === undefined) return;
    setInterval(() => {
      const isShown = document.visibilityState === "visible";
      if (isShown && this.standing.state === "signed-in") void this.ask();
    }, ASK_AGAIN_MS);
  }
}

/** A response whose stream may end by an error: it is told of that too. */
function heeding(response: Answered, heed: (error: unknown) => void): Answered {
  if (!response.stream) return response;
  async function* heeded(messages: AsyncIterable<Message>) {
    try {
      yield* messages;
    } catch (error) {
      heed(error);
      throw error;
    }
  }
  return { ...response, message: heeded(response.message) };
}

/** The reason that a refusal gives, such as `ROLE_MISSING`. */
export function reasonOf(error: unknown): string | undefined {
  return errorInfoOf(error)?.reason;
}
