import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from "jose";
import { fetchFailure } from "../fetch-failure.ts";
import type { Log } from "../log.ts";
import { fetchKeys } from "./fetch-keys.ts";
import type { KeyCache, KeyOrigin } from "./key-cache.ts";

/** How an issuer's keys are fetched; times in milliseconds. */
export interface FetchPace {
  /** What one fetch may take. */
  readonly withinMs: number;
  /** From the end of one to the beginning of the next, whoever asks. */
  readonly cooldownMs: number;
  /** How old keys become before they are fetched again unasked: a key that the issuer gave up is accepted for so long. */
  readonly refreshMs: number;
}

/** As a server paces itself. */
export const USUAL_PACE: FetchPace = { withinMs: 5000, cooldownMs: 30_000, refreshMs: 600_000 };

/** So many requests wait for a fetch; the keys of further ones are unknown at once. */
const MAX_WAITING = 64;

/** Finds the key that a token is signed with. */
export type FindKey = (header: JWSHeaderParameters, token: FlattenedJWSInput) => Promise<CryptoKey>;

/** An issuer's keys, wherever they come from. */
export interface IssuerKeys {
  /** @throws errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys. */
  readonly find: FindKey;
  /** Changes with the keys. */
  readonly version: number;
  /** Fetches no more. */
  stop(): void;
}

/** Those of a file. */
export function fixedKeys(keys: JSONWebKeySet): IssuerKeys {
  return { find: createLocalJWKSet(keys), version: 0, stop() {} };
}

/**
 * The keys that an issuer shows at an address, and those that it showed last, while it shows none.
 *
 * 1. There is one fetch at a time, and one in `cooldownMs`: a flood of unknown keys makes one.
 * 2. Who has a key that is known waits for no fetch.
 * 3. At most `MAX_WAITING` wait for one, for as long as it may take.
 * 4. A fetch that fails leaves the keys as they were.
 * 5. What was fetched is kept on disk before the next start can need it.
 */
export class RemoteKeys implements IssuerKeys {
  version = 0;
  readonly #origin: KeyOrigin;
  readonly #cache: KeyCache;
  readonly #pace: FetchPace;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #find: FindKey | undefined;
  #known = "";
  #fetching: Promise<void> | undefined;
  #mayFetchAt = 0;
  #waiting = 0;

  /** Begins with what is kept, and fetches. */
  constructor(origin: KeyOrigin, cache: KeyCache, log: Log, pace: FetchPace = USUAL_PACE) {
    this.#origin = origin;
    this.#cache = cache;
    this.#pace = pace;
    this.#log = log;
    this.#readKept();
    this.#fetching = this.#fetch();
    this.#timer = setInterval(() => void this.#refresh(), pace.refreshMs).unref();
  }

  readonly find: FindKey = async (header, token) => {
    try {
      return await this.#findKnown(header, token); // 2.
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const fetching = this.#refresh();
      if (fetching === undefined || this.#waiting >= MAX_WAITING) throw error; // 3.
      this.#waiting++;
      await fetching.finally(() => this.#waiting--);
      return this.#findKnown(header, token);
    }
  };

  stop(): void {
    clearInterval(this.#timer);
    this.#mayFetchAt = Number.POSITIVE_INFINITY;
  }

  async #findKnown(...asked: Parameters<FindKey>): Promise<CryptoKey> {
    if (this.#find === undefined) throw new errors.JWKSNoMatchingKey();
    return await this.#find(...asked);
  }

  /** The fetch that is under way, or one that begins. Undefined: there was one lately. */
  #refresh(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching; // 1.
    if (performance.now() < this.#mayFetchAt) return undefined;
    this.#fetching = this.#fetch();
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { issuer, uri } = this.#origin;
    try {
      const keys = await fetchKeys(uri, this.#pace.withinMs);
      if (this.#take(keys)) await this.#keep(keys); // 5.
    } catch (error) {
      const why = fetchFailure(error);
      const until =
        this.#find === undefined ? "none of its tokens are accepted" : "those before stay";
      this.#log.warn("the keys of an issuer cannot be fetched", { issuer, uri, why, until }); // 4.
    }
    this.#mayFetchAt = Math.max(this.#mayFetchAt, performance.now() + this.#pace.cooldownMs);
    this.#fetching = undefined;
  }

  /** False: they are those that are known. */
  #take(keys: JSONWebKeySet): boolean {
    const text = JSON.stringify(keys);
    if (text === this.#known) return false;
    this.#known = text;
    this.#find = createLocalJWKSet(keys);
    this.version++;
    return true;
  }

  #readKept(): void {
    try {
      const keys = this.#cache.read(this.#origin);
      if (keys !== undefined) this.#take(keys);
    } catch (error) {
      const why = (error as Error).message;
      this.#log.warn("kept keys of an issuer cannot be used", { ...this.#origin, why });
    }
  }

  async #keep(keys: JSONWebKeySet): Promise<void> {
    try {
      await this.#cache.write(this.#origin, keys);
    } catch (error) {
      const why = (error as Error).message;
      const what = "keys of an issuer cannot be kept: the next start needs it to be up";
      this.#log.warn(what, { ...this.#origin, why });
    }
  }
}
