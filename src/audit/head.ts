import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonical } from "./canonical.ts";
import type { AuditLink } from "./record.ts";

/**
 * Of what is signed. Servers before signed heads of version 1, and put such a head in the place of a removal: whoever had one
 * could say that records had been removed. One of version 2 is of its kind alone, which is signed with it.
 */
export const STATEMENT_VERSION = 2;

/** What a server says of a record of its chain, under its signature. */
export interface AuditStatement extends AuditLink {
  readonly version: number;
  readonly kind: "head" | "removal";
  /** When it was signed: RFC 3339 in UTC. */
  readonly time: string;
  /** The public key: its 32 bytes in base64. */
  readonly key: string;
  /** Ed25519 over the canonical text of all other members, in base64. */
  readonly signature: string;
}

/** What a server says that its chain had come to: who keeps it elsewhere notices when that is no longer so. */
export interface AuditHead extends AuditStatement {
  readonly kind: "head";
}

/** That a server removed the records up to one, for their age. */
export interface AuditRemoval extends AuditStatement {
  readonly kind: "removal";
}

/** Signs where a chain stands. @param key - An Ed25519 private key. */
export function signHead(last: AuditLink, key: KeyObject): AuditHead {
  return signStatement("head", last, key);
}

/** Signs that the records up to one are removed. @param key - An Ed25519 private key. */
export function signRemoval(last: AuditLink, key: KeyObject): AuditRemoval {
  return signStatement("removal", last, key);
}

function signStatement<Kind extends AuditStatement["kind"]>(
  kind: Kind,
  { chain, sequence, hash }: AuditLink,
  key: KeyObject,
) {
  const body = {
    ...{ version: STATEMENT_VERSION, kind, chain, sequence, hash },
    ...{ time: new Date().toISOString(), key: rawKey(key) },
  };
  const signature = sign(null, Buffer.from(canonical(body)), key).toString("base64");
  return { ...body, signature };
}

/** A head as the line that it is handed out as, without a newline. */
export function headLine(head: AuditHead): string {
  return canonical({ ...head });
}

/** Whether a key, as `rawKey` gives it, has signed a statement. */
export function isSigned({ signature, ...body }: AuditStatement, key: string): boolean {
  if (body.key !== key) return false;
  const signed = Buffer.from(canonical(body));
  return verify(null, signed, publicKey(key), Buffer.from(signature, "base64"));
}

/** The 32 bytes of an Ed25519 key's public part, in base64. @throws TypeError where it is of another kind. */
export function rawKey(key: KeyObject): string {
  if (key.asymmetricKeyType !== "ed25519") throw new TypeError("it is no Ed25519 key");
  const shared = key.type === "private" ? createPublicKey(key) : key;
  const { x } = shared.export({ format: "jwk" });
  return Buffer.from(x!, "base64url").toString("base64");
}

function publicKey(raw: string): KeyObject {
  const x = Buffer.from(raw, "base64").toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

const HEX = /^[0-9a-f]{64}$/;

/** The head in a line: alone, behind what a log put before it, or as the `head` of a line of the server's own log. Undefined: none. */
export function findHead(line: string): AuditHead | undefined {
  const begin = line.indexOf("{");
  if (begin < 0) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(line.slice(begin));
  } catch {
    return undefined;
  }
  const { head } = found as { head?: unknown };
  const value = (typeof head === "object" && head !== null ? head : found) as Partial<AuditHead>;
  return isHead(value) ? value : undefined;
}

/** Whether a value has the form of a head, whoever signed it. */
export function isHead(value: Partial<AuditStatement>): value is AuditHead {
  const isKnown = value.version === STATEMENT_VERSION || value.version === 1;
  return isKnown && value.kind === "head" && isStatement(value);
}

/** Whether a value has the form of a removal, whoever signed it. */
export function isRemoval(value: Partial<AuditStatement>): value is AuditRemoval {
  return value.version === STATEMENT_VERSION && value.kind === "removal" && isStatement(value);
}

function isStatement(value: Partial<AuditStatement>): boolean {
  const { chain, sequence, hash, time, key, signature } = value;
  const texts = [chain, time, key, signature].every((text) => typeof text === "string");
  return texts && Number.isSafeInteger(sequence) && HEX.test(String(hash));
}
