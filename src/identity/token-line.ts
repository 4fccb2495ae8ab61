import { createHash } from "node:crypto";
import { ROLES, type Role } from "./caller.ts";

/** A token as its line in the file has it. */
export interface TokenLine {
  /** SHA-256 of the token. */
  readonly hash: Buffer;
  readonly principal: string;
  readonly roles: readonly Role[];
  /** When it is nobody's any more, in milliseconds since the epoch; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** What is wrong with a line: goes on from where it stands, and says nothing of what does. */
export class TokenLineError extends Error {}

/** What a token can do that names no roles. */
const USUAL_ROLES: readonly Role[] = ["operator"];
/** So many digits of its hash name a token. */
const ID_DIGITS = 12;
/** A time with its zone: without one it would be another time on another machine. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
const LINE = /^sha256:([0-9a-fA-F]{64})\s+(\S+)((?:\s+(?:roles|expires)=\S*)*)$/;
const SHAPE =
  'must be "sha256:" with 64 hex digits, a space and a principal, and behind it roles=… and expires=… where they are wanted';
/** What hashing a variable gives that is not set, with `printf` and with `echo`. */
const NOTHINGS = ["", "\n"].map(sha256);

/** Whether a line says nothing: it is empty, or begins with #. */
export function isSilent(line: string): boolean {
  const text = line.trim();
  return text === "" || text.startsWith("#");
}

/**
 * Reads a line: `sha256:HEX PRINCIPAL [roles=operator,approver] [expires=2027-01-01T00:00:00Z]`.
 *
 * @throws TokenLineError.
 */
export function parseTokenLine(text: string): TokenLine {
  const [, hex, principal, rest = ""] = LINE.exec(text.trim()) ?? [];
  if (hex === undefined || principal === undefined) throw new TokenLineError(SHAPE);
  const hash = Buffer.from(hex, "hex");
  if (NOTHINGS.some((nothing) => nothing.equals(hash))) {
    throw new TokenLineError(
      "is the hash of no token at all: the variable that was hashed was not set. Make a token and its line anew",
    );
  }
  const said = attributesOf(rest);
  const { roles, expires } = said;
  return {
    hash,
    principal,
    roles: roles === undefined ? USUAL_ROLES : rolesOf(roles),
    expiresAt: expires === undefined ? undefined : timeOf(expires),
  };
}

/** Writes a line as `parseTokenLine` reads it. */
export function formatTokenLine({ hash, principal, roles, expiresAt }: TokenLine): string {
  const parts = [`sha256:${hash.toString("hex")}`, principal];
  if (roles.join() !== USUAL_ROLES.join()) parts.push(`roles=${roles.join(",")}`);
  if (expiresAt !== undefined) parts.push(`expires=${timeText(expiresAt)}`);
  return parts.join(" ");
}

/** By what a token is named: the beginning of its hash. */
export function tokenId({ hash }: Pick<TokenLine, "hash">): string {
  return hash.toString("hex").slice(0, ID_DIGITS);
}

/** The hash that stands for a token. */
export function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** A time as a line has it: to the second, in UTC. */
export function timeText(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

function attributesOf(text: string): { roles?: string; expires?: string } {
  const said: { roles?: string; expires?: string } = {};
  for (const part of text.split(/\s+/).filter((word) => word !== "")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, equals) as "roles" | "expires";
    if (said[name] !== undefined) throw new TokenLineError(`says ${name}= twice`);
    said[name] = part.slice(equals + 1);
  }
  return said;
}

function rolesOf(text: string): Role[] {
  const names = text.split(",");
  const roles = ROLES.filter((role) => names.includes(role));
  if (roles.length === names.length) return roles;
  throw new TokenLineError(
    `has other roles than there are: roles= takes ${ROLES.join(", ")}, each once, separated by commas`,
  );
}

function timeOf(text: string): number {
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new TokenLineError(
    "has a time that is none: expires= takes one with its zone, such as 2027-01-01T00:00:00Z",
  );
}
