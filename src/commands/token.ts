import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readDataDir } from "../config/client-config.ts";
import { ConfigError } from "../config/config-error.ts";
import { readColorWanted } from "../config/environment.ts";
import { readTokensFile } from "../config/tokens-file.ts";
import type { Role } from "../identity/caller.ts";
import { readLocalToken } from "../identity/local-token.ts";
import { changeTokenFile, readTokenFile, type TokenFile } from "../identity/token-file.ts";
import { formatTokenLine, sha256, timeText, tokenId } from "../identity/token-line.ts";
import type { KnownToken } from "../identity/tokens.ts";
import { ExitStatus } from "./exit-status.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { joined, oneLine, print, terminalJson } from "./terminal-text.ts";
import { UsageError } from "./usage-error.ts";

/** Whatever is made is its user's alone. */
const OWN_UMASK = 0o077;
/** By it a token that was left somewhere is known for what it is. */
const PREFIX = "breakglass_";
const TOKEN_BYTES = 32;
/** Fewer digits of an id could be those of another tomorrow. */
const LEAST_ID_DIGITS = 4;
const NAME_CHARACTERS = 256;

/** The file that is meant. */
export interface TokenFileOptions {
  /** Undefined: that of `BREAKGLASS_TOKENS_FILE`. */
  readonly file?: string;
}

/** What a new token is to be. */
export interface NewTokenOptions extends TokenFileOptions {
  readonly roles: readonly Role[];
  /** Milliseconds since the epoch. */
  readonly expires?: number;
}

/** Makes a token, writes its hash to the file, and prints it, once: nobody can read it again. */
export async function createToken(
  principal: string,
  { file, roles, expires }: NewTokenOptions,
): Promise<ExitStatus> {
  if (!/^[!-~]{1,256}$/.test(principal)) {
    throw new UsageError("a principal is printable ASCII without spaces, at most 256 characters");
  }
  const path = readTokensFile(file);
  const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString("base64url")}`;
  const made = { hash: sha256(token), principal, roles, expiresAt: expires };
  process.umask(OWN_UMASK);
  changeTokenFile(path, ({ lines }) => [...lines, formatTokenLine(made)]);
  const terminal = ownTerminal();
  await terminal.write(print`${oneLine(token, NAME_CHARACTERS)}\n`);
  const until = expires === undefined ? print`` : print` until ${oneLine(timeText(expires), 40)}`;
  const name = oneLine(principal, NAME_CHARACTERS);
  const id = oneLine(tokenId(made), NAME_CHARACTERS);
  terminal.tell(print`The token ${id} of ${name}${until}: it is not shown again.`);
  return ExitStatus.ok;
}

/** Lists the tokens of the file, in its order. */
export async function listTokens({
  file,
  json = false,
}: TokenFileOptions & { readonly json?: boolean }): Promise<ExitStatus> {
  const terminal = ownTerminal();
  const { tokens } = readTokenFile(thereIs(readTokensFile(file)));
  for (const token of tokens) await terminal.write(json ? jsonLine(token) : tokenLine(token));
  if (tokens.length === 0 && !json) terminal.tell(print`No tokens.`);
  return ExitStatus.ok;
}

/** Takes a token from the file. What it has opened goes on. */
export async function revokeToken(id: string, { file }: TokenFileOptions): Promise<ExitStatus> {
  checkId(id);
  const path = thereIs(readTokensFile(file));
  const terminal = ownTerminal();
  process.umask(OWN_UMASK);
  changeTokenFile(path, (found) => {
    const token = tokenNamed(id, found);
    const told = oneLine(`${tokenId(token)} of ${token.principal}`, 2 * NAME_CHARACTERS);
    if (found.tokens.length > 1) {
      terminal.tell(print`Revoked: the token ${told}.`);
      return found.lines.filter((_, index) => index !== token.line - 1);
    }
    // A server takes a file without any for a mistake, and goes on with what it had.
    terminal.tell(
      print`Revoked: the token ${told}. It was the last one, and its line stays, expired.`,
    );
    const expired = formatTokenLine({ ...token, expiresAt: Math.min(Date.now(), endOf(token)) });
    return found.lines.map((line, index) => (index === token.line - 1 ? expired : line));
  });
  return ExitStatus.ok;
}

/**
 * Prints the token of the server's own user, for a client that is none of that user's processes.
 *
 * @throws ConfigError where there is none.
 */
export async function localToken(): Promise<ExitStatus> {
  const dataDir = readDataDir();
  const token = dataDir === undefined ? undefined : readLocalToken(dataDir);
  if (token === undefined) {
    const where = JSON.stringify(dataDir ?? "");
    throw new ConfigError(
      `there is no local token in ${where} that you may read: a server without BREAKGLASS_TOKENS_FILE makes it in its BREAKGLASS_DATA_DIR`,
    );
  }
  await ownTerminal().write(print`${oneLine(token, NAME_CHARACTERS)}\n`);
  return ExitStatus.ok;
}

/** A file that is to be read: where it is made it may be missing. @throws ConfigError where there is none. */
function thereIs(path: string): string {
  if (existsSync(path)) return path;
  const name = JSON.stringify(path);
  throw new ConfigError(
    `there is no file of tokens at ${name}, or none that you may see: give another --file or BREAKGLASS_TOKENS_FILE, or make it with \`breakglass token create\``,
  );
}

function endOf({ expiresAt }: KnownToken): number {
  return expiresAt ?? Number.POSITIVE_INFINITY;
}

function checkId(id: string): void {
  if (!/^[0-9a-f]+$/i.test(id) || id.length < LEAST_ID_DIGITS) {
    throw new UsageError(
      `an id of a token is ${LEAST_ID_DIGITS} digits from 0 to f or more: \`breakglass token list\` has them`,
    );
  }
}

function tokenNamed(id: string, { tokens }: TokenFile): KnownToken {
  const found = tokens.filter(({ hash }) => hash.toString("hex").startsWith(id.toLowerCase()));
  if (found.length > 1) throw new Error(`${found.length} tokens have an id that begins so`);
  if (found[0] === undefined) throw new Error("no token has an id that begins so");
  return found[0];
}

function tokenLine(token: KnownToken) {
  const { principal, roles, expiresAt } = token;
  const columns = [tokenId(token), principal, roles.join(",")].map((text) =>
    oneLine(text, NAME_CHARACTERS),
  );
  if (expiresAt !== undefined) {
    const word = hasExpired(token) ? print`expired` : print`expires`;
    columns.push(print`${word} ${oneLine(timeText(expiresAt), 40)}`);
  }
  return print`${joined(columns, "  ")}\n`;
}

function jsonLine(token: KnownToken) {
  const { principal, roles, expiresAt, line } = token;
  const end = expiresAt === undefined ? {} : { expires: timeText(expiresAt) };
  const shown = { id: tokenId(token), principal, roles, ...end, expired: hasExpired(token), line };
  return print`${terminalJson(JSON.stringify(shown))}\n`;
}

function hasExpired(token: KnownToken): boolean {
  return endOf(token) <= Date.now();
}

function ownTerminal(): Terminal {
  return openTerminal(process.stdout, process.stderr, readColorWanted());
}
