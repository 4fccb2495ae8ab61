import type { KeyObject } from "node:crypto";
import type { AuditSource } from "../audit/audit-source.ts";
import type { AuditEntry, AuditFacts } from "../audit/entry.ts";
import { rawKey } from "../audit/head.ts";
import {
  type HeadDestination,
  toFile,
  toLog,
  toSyslog,
  toUrl,
} from "../audit/head-destinations.ts";
import { type HeadDelivery, HeadPublisher } from "../audit/head-publisher.ts";
import { readKey, readOrMakeKey } from "../audit/key-file.ts";
import { retainAudit } from "../audit/retention.ts";
import { SignInCounts } from "../audit/sign-in-counts.ts";
import { AuditTrail } from "../audit/trail.ts";
import { canSendDatagrams, isDatagramSocket } from "../audit/unix-datagram.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { SERVE_SETTINGS } from "../config/settings/sections.ts";
import { isFenced } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { RefusedSignIn } from "../identity/refused-sign-ins.ts";
import { tokenId } from "../identity/token-line.ts";
import type { Tokens } from "../identity/tokens.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { TurnAudit } from "../turns/turn-audit.ts";
import { readVersion } from "../version.ts";

/** So much of a setting's value is recorded. */
const VALUE_CHARACTERS = 1024;
/** So many tokens are named at the start. */
const MOST_TOKENS = 500;
/** About so much is read at once. */
const READ_BYTES = 256 * 1024;
/** What the end of a server waits for its last records. */
const LAST_MS = 3000;

type Audited = Pick<
  ServeConfig,
  | "audit"
  | "auditContent"
  | "auditHeadMs"
  | "auditHeadsFile"
  | "auditHeadsSyslog"
  | "auditHeadsUrl"
  | "auditKeyFile"
  | "isAuditKeyOwn"
  | "auditRetentionMs"
  | "environment"
>;

/**
 * The audit of one server: what its turns put on it, what happens to the server itself, its heads and its retention.
 */
export class ServerAudit implements AuditSource {
  /** What turns put on it. */
  readonly turns: TurnAudit;
  readonly #config: Audited;
  readonly #trail: AuditTrail;
  readonly #refused: SignInCounts;
  readonly #heads: HeadPublisher;
  readonly #closing = new AbortController();
  readonly #isOn: boolean;
  readonly #store: Store;
  readonly #redact: (text: string) => string;
  #tokens: ReadonlyMap<string, string>;

  /** Begins it. @throws ConfigError where the key that is set cannot be used. */
  constructor(
    config: Audited,
    tokens: Tokens | undefined,
    store: Store,
    redact: (text: string) => string,
    log: Log,
  ) {
    const { owner, epoch } = store.lease;
    this.#config = config;
    this.#store = store;
    this.#redact = redact;
    this.#tokens = idsOf(tokens);
    this.#isOn = config.audit === "on";
    this.turns = new TurnAudit(this.#isOn ? config.auditContent : undefined, redact);
    const key = keyOf(config);
    this.#trail = new AuditTrail((entries) => store.recordAudit(entries, epoch), isFenced, log);
    this.#refused = new SignInCounts((entry) => this.#trail.note(entry));
    const head = () => store.readAuditHead(owner);
    const destinations = destinationsOf(config, log);
    this.#heads = new HeadPublisher({ head, key, destinations, everyMs: config.auditHeadMs, log });
    if (this.#isOn) this.#begin(tokens, store, key, log);
    else void tellOff(store, this.#trail, log);
  }

  /** How it stands with the heads that are handed out. */
  deliveries(): HeadDelivery[] {
    return this.#isOn ? this.#heads.deliveries() : [];
  }

  /** Notes what is the record of nothing in the store. */
  note(entry: AuditEntry): void {
    if (this.#isOn) this.#trail.note(entry);
  }

  /** Somebody was told to be nobody. */
  refused({ means, why, peer }: RefusedSignIn): void {
    if (this.#isOn) this.#refused.count(means, why, peer.address);
  }

  /** Notes which tokens came and went. */
  tokensRead(tokens: Tokens | undefined): void {
    const [old, fresh] = [this.#tokens, idsOf(tokens)];
    this.#tokens = fresh;
    for (const [token_id, principal] of fresh) {
      if (!old.has(token_id)) this.note({ kind: "token_added", facts: { token_id, principal } });
    }
    for (const [token_id, principal] of old) {
      if (!fresh.has(token_id))
        this.note({ kind: "token_removed", facts: { token_id, principal } });
    }
  }

  noteRead(caller: Caller, afterSequence: number): void {
    this.note({ kind: "audit_read", caller, facts: { after_sequence: afterSequence } });
  }

  async newest(): Promise<number> {
    return (await this.#store.readAuditHead(this.#store.lease.owner))?.sequence ?? 0;
  }

  read(afterSequence: number): Promise<string[]> {
    return this.#store.readAudit(this.#store.lease.owner, afterSequence, READ_BYTES);
  }

  /** Puts the server's end on it, and hands out its last head. Never rejects, and lasts some seconds at most. */
  async end(): Promise<void> {
    this.#closing.abort();
    this.#refused.tell();
    this.note({ kind: "server_ended" });
    await this.#trail.settled(LAST_MS);
    this.#trail.stop();
    if (this.#isOn) await this.#heads.end();
  }

  #begin(tokens: Tokens | undefined, store: Store, key: () => KeyObject, log: Log): void {
    const { owner, epoch } = store.lease;
    const known = [...idsOf(tokens)].slice(0, MOST_TOKENS).map((token) => token.join(" "));
    const facts = {
      ...{ ...this.#facts(), epoch, key: publicOf(key) },
      ...(tokens === undefined ? {} : { tokens: known }),
    };
    this.note({ kind: "server_started", facts });
    this.#heads.start();
    const retained = {
      findBefore: (time: number) => store.findAuditBefore(owner, time),
      remove: (upTo: number, entries: readonly AuditEntry[]) =>
        store.removeAudit(upTo, entries, epoch),
    };
    void retainAudit(
      { ...retained, key, log },
      this.#config.auditRetentionMs,
      this.#closing.signal,
    );
  }

  #facts(): AuditFacts {
    const { environment } = this.#config;
    const shown = (value: string) => this.#redact(withoutSecrets(value));
    const settings: Record<string, string> = {};
    for (const { variable, ...setting } of Object.values(SERVE_SETTINGS)) {
      const value = environment[variable];
      if (value) settings[variable] = "isSecret" in setting ? "(set)" : shown(value);
    }
    return { version: readVersion(), node: process.version, pid: process.pid, settings };
  }
}

/** A URL may have what opens the other side in its user or its query. */
function withoutSecrets(value: string): string {
  const url = /^https?:/i.test(value) ? URL.parse(value) : null;
  return (url === null ? value : url.origin + url.pathname).slice(0, VALUE_CHARACTERS);
}

function idsOf(tokens: Tokens | undefined): ReadonlyMap<string, string> {
  return new Map(tokens?.list().map((token) => [tokenId(token), token.principal]));
}

/** One that is made at the first start may have to wait for room on the disk; one that is set must be there. */
function keyOf({ audit, auditKeyFile, isAuditKeyOwn }: Audited): () => KeyObject {
  let key = audit === "on" && !isAuditKeyOwn ? readKey(auditKeyFile) : undefined;
  return () => {
    key ??= readOrMakeKey(auditKeyFile);
    return key;
  };
}

/** Which key vouches for the chain from here on. Undefined: there is none yet, for want of room. */
function publicOf(key: () => KeyObject): string | undefined {
  try {
    return rawKey(key());
  } catch {
    return undefined;
  }
}

function destinationsOf(config: Audited, log: Log): HeadDestination[] {
  const { auditHeadsFile: file, auditHeadsSyslog: syslog, auditHeadsUrl: url } = config;
  if (syslog?.protocol === "unix" && !canSendDatagrams() && isDatagramSocket(syslog.host)) {
    throw new ConfigError(
      `BREAKGLASS_AUDIT_HEADS_SYSLOG is unix:${syslog.host}, a datagram socket, which this Node cannot send to, for want of node:ffi: name a stream socket, or udp://127.0.0.1:514`,
    );
  }
  return [
    toLog(log),
    ...(file === undefined ? [] : [toFile(file)]),
    ...(syslog === undefined ? [] : [toSyslog(syslog)]),
    ...(url === undefined ? [] : [toUrl(url)]),
  ];
}

/** A chain that was kept and goes on no more says so: who reads it later is not to take nothing for nothing. */
async function tellOff(store: Store, trail: AuditTrail, log: Log): Promise<void> {
  log.warn("the audit is off: nobody will know who did what", { setting: "BREAKGLASS_AUDIT" });
  try {
    const head = await store.readAuditHead(store.lease.owner);
    if (head === undefined) return;
    const [last] = await store.readAudit(store.lease.owner, head.sequence - 1, 1);
    if (!last?.includes('"kind":"audit_off"')) trail.note({ kind: "audit_off" });
  } catch (error) {
    log.error("the audit cannot be read", { error });
  }
}
