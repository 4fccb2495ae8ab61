import { createHash, randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { JSONWebKeySet } from "jose";
import { makeDirectory } from "../data-directory.ts";
import { readSettingFile } from "../setting-file.ts";
import { parseKeySet } from "./key-set.ts";

/** Where an issuer's keys come from. */
export interface KeyOrigin {
  readonly issuer: string;
  readonly uri: string;
}

/** Keeps the keys of issuers on disk, for when they are down. What is kept of another address is not read. */
export class KeyCache {
  readonly #directory: string;

  /** @param directory - Is made when something is kept. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The keys that were kept last. Undefined: none were.
   *
   * @throws Error where there is something that cannot be used, or that others can write.
   */
  read(origin: KeyOrigin): JSONWebKeySet | undefined {
    const path = this.#pathOf(origin);
    let text: string;
    try {
      text = readSettingFile({ variable: "the kept keys", path, isSecret: true }).toString("utf8");
    } catch (error) {
      if ((error as Error).message.endsWith("ENOENT")) return undefined;
      throw error;
    }
    const { issuer, uri } = JSON.parse(text) as Partial<KeyOrigin>;
    if (issuer !== origin.issuer || uri !== origin.uri) throw new Error("are of another issuer");
    return parseKeySet(text);
  }

  /** Keeps keys, whole or not at all. */
  async write(origin: KeyOrigin, { keys }: JSONWebKeySet): Promise<void> {
    makeDirectory(this.#directory);
    const path = this.#pathOf(origin);
    const next = `${path}.${randomUUID()}`;
    try {
      const file = await open(next, "wx", 0o600);
      try {
        const { issuer, uri } = origin;
        await file.writeFile(`${JSON.stringify({ issuer, uri, keys })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, path);
    } catch (error) {
      await rm(next, { force: true });
      throw error;
    }
    await syncDirectory(dirname(path));
  }

  /** Nothing of what an issuer says of itself becomes part of a path. */
  #pathOf({ issuer, uri }: KeyOrigin): string {
    const hash = createHash("sha256")
      .update(JSON.stringify([issuer, uri]))
      .digest("hex");
    return join(this.#directory, `${hash.slice(0, 32)}.json`);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
