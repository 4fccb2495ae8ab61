import {
  type ServerInfo,
  ServerInfoSchema,
  type Turn,
  type TurnEvent,
  TurnEventSchema,
  TurnSchema,
  type WatchTurnsResponse,
} from "@breakglass/client";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createStore, delMany, get, getMany, keys, set, type UseStore } from "idb-keyval";
import { decoded, encoded } from "../watch-state.ts";

/** Of a turn's events, from its first on, so many bytes are kept. */
const TURN_BYTES = 1024 * 1024;
/** So many turns are kept, those that were opened last. */
const TURNS = 20;
/** A storage that says nothing for so long is none: nobody waits for it to see what the server says. */
const ANSWER_MS = 3000;

interface KeptServer {
  readonly token: string;
  readonly principal: string;
  readonly server: Uint8Array;
  readonly timeMs: number;
}

/** The events of a turn from its first to `last`. */
export interface KeptEvents {
  readonly events: readonly Uint8Array[];
  readonly last: number;
}

/**
 * What a browser keeps of what somebody saw, for when the server is away. Where it keeps nothing, nothing is kept: no call rejects.
 *
 * 1. It is one person's: their name is in every key.
 * 2. Nothing is written any more once it was forgotten.
 */
export class Copy {
  readonly principal: string;
  #isOver = false;

  constructor(principal: string) {
    this.principal = principal;
  }

  /** Keeps what the server said that it is. @param token - The digest of the token that it was told with. */
  async keepServer(token: string, server: ServerInfo): Promise<void> {
    const { principal } = this;
    // Whoever was signed in so before is not who is shown next.
    await forgetHolders(token, principal);
    const bytes = toBinary(ServerInfoSchema, server);
    const kept: KeptServer = { token, principal, server: bytes, timeMs: Date.now() };
    await this.#set("server", kept);
  }

  async keepDesk(messages: readonly WatchTurnsResponse[]): Promise<void> {
    await this.#set("desk", messages.map(encoded));
  }

  async readDesk(): Promise<WatchTurnsResponse[] | undefined> {
    return (await this.#get<Uint8Array[]>("desk"))?.map(decoded);
  }

  async keepTurn(turn: Turn): Promise<void> {
    await this.#set(`turn ${turn.turnId}`, toBinary(TurnSchema, turn));
    const others = ((await this.#get<string[]>("turns")) ?? []).filter((id) => id !== turn.turnId);
    const opened = [turn.turnId, ...others];
    await this.#set("turns", opened.slice(0, TURNS));
    const old = opened
      .slice(TURNS)
      .flatMap((id) => [this.#key(`turn ${id}`), this.#key(`events ${id}`)]);
    if (old.length > 0) await attempt((store) => delMany(old, store));
  }

  async readTurn(turnId: string): Promise<Turn | undefined> {
    const bytes = await this.#get<Uint8Array>(`turn ${turnId}`);
    return bytes && fromBinary(TurnSchema, bytes);
  }

  async keepEvents(turnId: string, kept: KeptEvents): Promise<void> {
    await this.#set(`events ${turnId}`, kept);
  }

  async readEvents(turnId: string): Promise<KeptEvents | undefined> {
    return this.#get<KeptEvents>(`events ${turnId}`);
  }

  /** Forgets all of it. */
  async forget(): Promise<void> {
    this.#isOver = true; // 2.
    await forgetCopy(this.principal);
  }

  async #set(name: string, value: unknown): Promise<void> {
    if (!this.#isOver) await attempt((store) => set(this.#key(name), value, store));
  }

  #get<T>(name: string): Promise<T | undefined> {
    return attempt((store) => get<T>(this.#key(name), store));
  }

  #key(name: string): string {
    return keyOf(this.principal, name); // 1.
  }
}

/** What a server said that it is to who has that token, and when; undefined: nothing is kept of them. */
export async function readServer(
  token: string,
): Promise<{ server: ServerInfo; time: Date } | undefined> {
  const [kept] = await holdersOf(token);
  return kept && { server: fromBinary(ServerInfoSchema, kept.server), time: new Date(kept.timeMs) };
}

/** Forgets what is kept of those who had that token, but for one of them. */
export async function forgetHolders(token: string, but?: string): Promise<void> {
  const holders = await holdersOf(token);
  const others = holders.filter(({ principal }) => principal !== but);
  await Promise.all(others.map(({ principal }) => forgetCopy(principal)));
}

async function holdersOf(token: string): Promise<KeptServer[]> {
  const all = (await attempt((store) => keys<string>(store))) ?? [];
  const names = all.filter((name) => name.endsWith("/server"));
  const kept = await attempt((store) => getMany<KeptServer | undefined>(names, store));
  return (kept ?? []).filter((one) => one !== undefined && one.token === token) as KeptServer[];
}

/** Forgets what is kept of a person. */
export async function forgetCopy(principal: string): Promise<void> {
  const all = (await attempt((store) => keys<string>(store))) ?? [];
  const theirs = all.filter((key) => key.startsWith(keyOf(principal, "")));
  await attempt((store) => delMany(theirs, store));
}

/** Whether that many bytes of a turn may be kept. */
export function isWithinBounds(bytes: number): boolean {
  return bytes <= TURN_BYTES;
}

export function eventOf(bytes: Uint8Array): TurnEvent {
  return fromBinary(TurnEventSchema, bytes);
}

export function bytesOf(event: TurnEvent): Uint8Array {
  return toBinary(TurnEventSchema, create(TurnEventSchema, event));
}

/** A digest by which a token is known again, and which is of no use to who reads it; empty for none. To be called where {@link canDigest}. */
export async function digestOf(token: string | undefined): Promise<string> {
  if (token === undefined) return "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether tokens can be known again: elsewhere than over HTTPS and on the machine itself browsers have no digests. */
export function canDigest(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

let opened: UseStore | undefined;

async function attempt<T>(use: (store: UseStore) => Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, ANSWER_MS);
  try {
    opened ??= createStore("breakglass", "copy");
    return await Promise.race([use(opened), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function keyOf(principal: string, name: string): string {
  return `${encodeURIComponent(principal)}/${name}`;
}
