import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../config/config-error.ts";
import { makeDirectory } from "../data-directory.ts";
import type { Script } from "./script.ts";

/** What files of a fake that is over can be told by, in a directory that is kept. */
const OWN_FILE = /^(?:script|tokens)-[0-9a-f-]{36}$/;
/** A token, and whom it stands for. */
const TOKEN = /^(?:([!-9;-~]+):)?([!-9;-~]+)$/;
/** Whom a token stands for of which that is not said. */
const USUAL_PRINCIPAL = "fake";

/** Where a fake keeps what it has. */
export interface FakeDirectory {
  readonly root: string;
  /** The store. */
  readonly data: string;
  /** The home of its agent, in which the agent remembers its conversations. */
  readonly home: string;
  /** The script, as the agent reads it. */
  readonly script: string;
  /** The tokens of which calls need one. */
  readonly tokens: string;
  writeScript(script: Script): Promise<void>;
  writeTokens(tokens: readonly string[]): Promise<void>;
  /** Removes what a fake left here that was killed. Only by whoever has the store. */
  removeLeft(): Promise<void>;
  /** Removes what is not to be kept. */
  remove(): Promise<void>;
}

/** @param kept - A directory that stays. Undefined: one of its own, which does not. */
export async function openFakeDirectory(kept: string | undefined): Promise<FakeDirectory> {
  const root = kept ?? (await mkdtemp(join(tmpdir(), "breakglass-fake-")));
  const home = join(root, "home");
  try {
    makeDirectory(join(home, ".claude"));
  } catch (error) {
    throw new ConfigError(`the data directory ${root} cannot be used: ${(error as Error).message}`);
  }
  // Another fake may have the directory, which is known only once the store is open.
  const script = join(root, `script-${randomUUID()}`);
  const tokens = join(root, `tokens-${randomUUID()}`);
  return {
    root,
    data: join(root, "data"),
    home,
    script,
    tokens,
    // The agent never sees a half of it.
    async writeScript(written) {
      const next = `${script}.next`;
      await writeFile(next, JSON.stringify(written), { mode: 0o600 });
      await rename(next, script);
    },
    writeTokens: (given) => writeFile(tokens, tokenLines(given), { mode: 0o600 }),
    async removeLeft() {
      const own = [script, tokens];
      const left = (await readdir(root)).filter((name) => OWN_FILE.test(name));
      for (const path of left.map((name) => join(root, name))) {
        if (!own.includes(path)) await rm(path, { force: true });
      }
    },
    async remove() {
      const paths = kept === undefined ? [root] : [script, tokens];
      for (const path of paths) await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A tokens file. What is given twice is one line. */
function tokenLines(given: readonly string[]): string {
  const lines = new Map<string, string>();
  for (const [hash, principal] of given.map(readToken)) {
    const other = lines.get(hash);
    if (other !== undefined && other !== principal) {
      throw new ConfigError(
        `one token of the fake is given for two principals, ${other} and ${principal}: give each a token of its own`,
      );
    }
    lines.set(hash, principal);
  }
  return Array.from(lines, ([hash, principal]) => `sha256:${hash} ${principal}\n`).join("");
}

/** A token's hash, and whom it stands for. */
function readToken(given: string): [hash: string, principal: string] {
  const [matched, principal = USUAL_PRINCIPAL, token = ""] = TOKEN.exec(given) ?? [];
  if (matched === undefined) {
    throw new ConfigError(
      "a token of the fake takes TOKEN or PRINCIPAL:TOKEN, in printable ASCII without spaces",
    );
  }
  return [createHash("sha256").update(token).digest("hex"), principal];
}
