import { isNotFound, type Session, type Turn } from "@breakglass/client";
import type { Desk } from "../desk/desk.svelte.ts";
import { ListedTurns } from "../desk/listed-turns.svelte.ts";
import type { Account } from "../server/account.svelte.ts";

/** A session and its turns: what the server has on record, with what the desk hears since. */
export class SessionRecord {
  session = $state.raw<Session>();
  /** Why it is not shown. */
  failure = $state.raw<unknown>();
  /** What is on record, page by page. */
  readonly listed: ListedTurns;
  readonly sessionId: string;
  readonly #account: Account;
  readonly #desk: Desk;
  readonly #asked: string;

  /** @param principal - Whose session it is. Empty: the caller's own. */
  constructor(account: Account, desk: Desk, sessionId: string, principal: string) {
    this.#account = account;
    this.#desk = desk;
    this.sessionId = sessionId;
    this.#asked = principal;
    this.listed = new ListedTurns(account);
  }

  /** Whose session it is. */
  get owner(): string {
    if (this.session !== undefined) return this.session.principal;
    return this.#asked || (this.#account.server?.caller?.principal ?? "");
  }

  /** What is known of its turns, the oldest first. */
  readonly turns = $derived.by((): readonly Turn[] => {
    const live = [...this.#desk.turns.values()].filter((turn) => this.#has(turn));
    const known = new Map([...this.listed.turns, ...live].map((turn) => [turn.turnId, turn]));
    return [...known.values()].sort((a, b) => (a.turnId < b.turnId ? -1 : 1));
  });

  /** The name that requests have for it. */
  get name() {
    return { sessionId: this.sessionId, sessionPrincipal: this.#asked };
  }

  /** Asks the server for both. */
  async load(signal: AbortSignal): Promise<void> {
    await Promise.all([this.refresh(signal), this.listed.load(this.name)]);
  }

  /** Asks the server how the session is now. */
  async refresh(signal?: AbortSignal): Promise<void> {
    try {
      const answer = await this.#account.client.getSession(this.name, signal && { signal });
      this.session = answer.session;
      this.failure = undefined;
    } catch (error) {
      if (signal?.aborted || this.#account.heedRefusal(error)) return;
      this.failure = error;
      if (!isNotFound(error)) return;
      this.session = undefined;
      this.#desk.drop((turn) => this.#has(turn));
    }
  }

  /** Hears what the desk does until what it answers is called: a turn's beginning and end change the session. */
  follow(): () => void {
    return this.#desk.listen((change) => {
      const isOfTurn = change.case === "turnStarted" || change.case === "turnEnded";
      if (isOfTurn && this.#has(change.value)) void this.refresh();
    });
  }

  /** All turns on record, the oldest first: also those that are not shown. */
  async allTurns(): Promise<Turn[]> {
    const turns: Turn[] = [];
    let pageToken = "";
    do {
      const page = { ...this.name, pageSize: 1000, pageToken };
      const answer = await this.#account.client.listTurns(page);
      turns.push(...answer.turns);
      pageToken = answer.nextPageToken;
    } while (pageToken !== "");
    return turns.reverse();
  }

  #has({ sessionId, sessionPrincipal }: Turn): boolean {
    return sessionId === this.sessionId && sessionPrincipal === this.owner;
  }
}
