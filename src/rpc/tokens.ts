import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfigError } from "../config.ts";

const LINE = /^sha256:([0-9a-fA-F]{64})\s+(\S+)$/;

/** The bearer tokens that the server knows, as hashes, and whose they are. */
export class Tokens {
  readonly #known: readonly { readonly hash: Buffer; readonly principal: string }[];

  /**
   * Reads a file with a line each: `sha256:HEX PRINCIPAL`. Empty lines and lines that begin with # say nothing.
   *
   * @throws ConfigError that names the line to mend, and never what stands in it.
   */
  static read(path: string): Tokens {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code;
      throw new ConfigError(
        `BREAKGLASS_TOKENS_FILE is ${JSON.stringify(path)}, which cannot be read: ${why}`,
      );
    }
    return new Tokens(text, path);
  }

  constructor(text: string, path: string) {
    this.#known = text
      .split("\n")
      .map((line, index) => [line.trim(), index + 1] as const)
      .filter(([line]) => line !== "" && !line.startsWith("#"))
      .map(([line, number]) => parseLine(line, `${path} line ${number}`));
    if (this.#known.length === 0) {
      throw new ConfigError(
        `BREAKGLASS_TOKENS_FILE is ${JSON.stringify(path)}, which holds no token`,
      );
    }
  }

  /**
   * Whose token an `Authorization` header carries; undefined for none or a wrong one. Takes the same time whichever it is.
   */
  principalOf(authorization: string | null): string | undefined {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1] ?? "";
    const hash = createHash("sha256").update(token).digest();
    let principal: string | undefined;
    for (const known of this.#known) {
      if (timingSafeEqual(hash, known.hash)) principal = known.principal;
    }
    return principal;
  }
}

function parseLine(line: string, where: string) {
  const [, hex, principal] = LINE.exec(line) ?? [];
  if (hex === undefined || principal === undefined) {
    throw new ConfigError(
      `BREAKGLASS_TOKENS_FILE: ${where} must be "sha256:" with 64 hex digits, a space and a principal`,
    );
  }
  return { hash: Buffer.from(hex, "hex"), principal };
}
