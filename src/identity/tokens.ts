import { timingSafeEqual } from "node:crypto";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile } from "../setting-file.ts";
import type { Principal, Role } from "./caller.ts";
import { isSilent, parseTokenLine, sha256, type TokenLine, TokenLineError } from "./token-line.ts";

/** A token, and where it stands in the file. */
export interface KnownToken extends TokenLine {
  /** From 1. */
  readonly line: number;
}

/** Whose a token is, or why it is nobody's: nobody is told which. */
export type TokenOwner = Principal | "unknown" | "expired";

/** The bearer tokens that the server knows, as hashes, and whose they are. */
export class Tokens {
  readonly #known: readonly KnownToken[];

  /**
   * Reads a file with a line each: `sha256:HEX PRINCIPAL`, and roles and an end where they are wanted. Empty lines and lines
   * that begin with # say nothing.
   *
   * @throws ConfigError that names the line to mend, and never what stands in it.
   */
  static read(path: string): Tokens {
    const file = { variable: "BREAKGLASS_TOKENS_FILE", path, isSecret: true };
    return new Tokens(readSettingFile(file).toString("utf8"), path);
  }

  constructor(text: string, path: string) {
    this.#known = parseTokens(text, path);
    if (this.#known.length === 0) {
      throw new ConfigError(
        `BREAKGLASS_TOKENS_FILE is ${JSON.stringify(path)}, which holds no token`,
      );
    }
  }

  /** Those that there are. */
  list(): readonly TokenLine[] {
    return this.#known;
  }

  /** Whether there is a token of theirs. */
  knows(principal: string): boolean {
    return this.#known.some((known) => known.principal === principal);
  }

  /** Whether there is a token with one of these roles. */
  gives(...roles: readonly Role[]): boolean {
    return this.#known.some((known) => roles.some((role) => known.roles.includes(role)));
  }

  /** Whose a token is at a time. Takes as long for every token. */
  ownerOf(token: string, now = Date.now()): TokenOwner {
    const hash = sha256(token);
    let found: KnownToken | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(hash, known.hash)) found = known;
    }
    if (found === undefined) return "unknown";
    const { principal, roles, expiresAt = Number.POSITIVE_INFINITY } = found;
    return now < expiresAt ? { name: principal, roles, means: "token" } : "expired";
  }
}

/**
 * Reads the lines of a file that say something.
 *
 * @throws ConfigError as `Tokens.read`.
 */
export function parseTokens(text: string, path: string): KnownToken[] {
  const known = text.split("\n").flatMap((line, index) => {
    if (isSilent(line)) return [];
    try {
      return { ...parseTokenLine(line), line: index + 1 };
    } catch (error) {
      if (!(error instanceof TokenLineError)) throw error;
      throw new ConfigError(`BREAKGLASS_TOKENS_FILE: ${path} line ${index + 1} ${error.message}`);
    }
  });
  refuseDuplicates(known, path);
  return known;
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
