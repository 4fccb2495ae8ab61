import type { ListTurnsRequestSchema, Turn } from "@breakglass/client";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Account } from "../server/account.svelte.ts";

type Request = MessageInitShape<typeof ListTurnsRequestSchema>;

/** How many turns a page has. */
const PAGE_SIZE = 50;

/** Turns that the server has on record, page by page, the newest first. */
export class ListedTurns {
  turns = $state.raw<readonly Turn[]>([]);
  isLoading = $state(false);
  hasMore = $state(false);
  failure = $state.raw<unknown>();
  readonly #account: Account;
  #request: Request | undefined;
  #pageToken = "";
  #loading = new AbortController();

  constructor(account: Account) {
    this.#account = account;
  }

  /** Begins anew, with the first page. What was loaded stays until that is there. @param request - Undefined: there is none to ask for. */
  load(request: Request | undefined): Promise<void> {
    this.#request = request;
    this.#pageToken = "";
    return this.#loadPage(true);
  }

  /** Loads the next page. */
  more(): Promise<void> {
    return this.#loadPage(false);
  }

  /** Loads no more. */
  leave(): void {
    this.#loading.abort();
  }

  async #loadPage(isFirst: boolean): Promise<void> {
    this.#loading.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { signal } = loading;
    this.failure = undefined;
    if (this.#request === undefined) {
      this.turns = [];
      this.hasMore = false;
      this.isLoading = false;
      return;
    }
    this.isLoading = true;
    const page = { ...this.#request, pageSize: PAGE_SIZE, pageToken: this.#pageToken };
    try {
      const { turns, nextPageToken } = await this.#account.client.listTurns(page, { signal });
      if (signal.aborted) return;
      this.turns = isFirst ? turns : [...this.turns, ...turns];
      this.#pageToken = nextPageToken;
      this.hasMore = nextPageToken !== "";
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#account.heedRefusal(error)) this.failure = error;
    } finally {
      if (!signal.aborted) this.isLoading = false;
    }
  }
}
