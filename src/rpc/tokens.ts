import { createHash, timingSafeEqual } from "node:crypto";
import { ConfigError } from "../config/config-error.ts";
import { isRole, type Principal, ROLES, type Role } from "../identity/caller.ts";
import { readSettingFile } from "../setting-file.ts";

const LINE = /^sha256:([0-9a-fA-F]{64})\s+(\S+)(?:\s+roles=(\S*))?$/;
/** Of a token whose line names none. */
const DEFAULT_ROLES: readonly Role[] = ["operator"];
/** What hashing a variable gives that is not set, with `printf` and with `echo`. */
const NOTHINGS = ["", "\n"].map(sha256);

interface KnownToken {
  readonly hash: Buffer;
  readonly principal: string;
  readonly roles: readonly Role[];
  /** Where it stands in the file, from 1. */
  readonly line: number;
}

/** The bearer tokens that the server knows, as hashes, and whose they are. */
export class Tokens {
  readonly #known: readonly KnownToken[];

  /**
   * Reads a file with a line each: `sha256:HEX PRINCIPAL`, or with `roles=viewer,operator` behind it. Empty lines and lines that begin with # say nothing.
   *
   * @throws ConfigError that names the line to mend, and never what stands in it.
   */
  static read(path: string): Tokens {
    const file = { variable: "BREAKGLASS_TOKENS_FILE", path, isSecret: true };
    return new Tokens(readSettingFile(file).toString("utf8"), path);
  }

  constructor(text: string, path: string) {
    this.#known = text
      .split("\n")
      .map((line, index) => [line.trim(), index + 1] as const)
      .filter(([line]) => line !== "" && !line.startsWith("#"))
      .map(([line, number]) => parseLine(line, number, path));
    if (this.#known.length === 0) {
      throw new ConfigError(
        `BREAKGLASS_TOKENS_FILE is ${JSON.stringify(path)}, which holds no token`,
      );
    }
    refuseDuplicates(this.#known, path);
  }

  /** Whether there is a token of theirs. */
  knows(principal: string): boolean {
    return this.#known.some((known) => known.principal === principal);
  }

  /** Whether there is a token with one of these roles. */
  gives(...roles: Role[]): boolean {
    return this.#known.some((known) => roles.some((role) => known.roles.includes(role)));
  }

  /**
   * Whose token an `Authorization` header carries; undefined for none or a wrong one. Takes the same time for every token.
   */
  principalOf(authorization: string | null): Principal | undefined {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1];
    // No token is nobody, whatever the hash of nothing is.
    if (token === undefined) return undefined;
    const hash = sha256(token);
    let found: KnownToken | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(hash, known.hash)) found = known;
    }
    return found && { name: found.principal, roles: found.roles, means: "token" };
  }
}

function parseLine(text: string, line: number, path: string): KnownToken {
  const [, hex, principal, named] = LINE.exec(text) ?? [];
  if (hex === undefined || principal === undefined) {
    throw new ConfigError(
      `BREAKGLASS_TOKENS_FILE: ${path} line ${line} must be "sha256:" with 64 hex digits, a space and a principal, and may have "roles=" behind them`,
    );
  }
  const hash = Buffer.from(hex, "hex");
  if (NOTHINGS.some((nothing) => nothing.equals(hash))) {
    throw new ConfigError(
      `BREAKGLASS_TOKENS_FILE: ${path} line ${line} is the hash of no token at all: the variable that was hashed was not set. Make a token and its line anew`,
    );
  }
  const roles = named === undefined ? DEFAULT_ROLES : named.split(",");
  if (!roles.every(isRole)) {
    throw new ConfigError(
      `BREAKGLASS_TOKENS_FILE: ${path} line ${line} must name roles of ${ROLES.join(", ")}, with commas between them`,
    );
  }
  return { hash, principal, roles, line };
}

/** Whose a token is must not hang on which of its lines is read last. */
function refuseDuplicates(known: readonly KnownToken[], path: string): void {
  const lines = new Map<string, number>();
  for (const { hash, line } of known) {
    const hex = hash.toString("hex");
    const first = lines.get(hex);
    if (first !== undefined) {
      throw new ConfigError(
        `BREAKGLASS_TOKENS_FILE: ${path} lines ${first} and ${line} hold the same hash: give each principal a token of its own`,
      );
    }
    lines.set(hex, line);
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
