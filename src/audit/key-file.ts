import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { existsSync, linkSync, rmSync, writeFileSync } from "node:fs";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile } from "../setting-file.ts";
import { rawKey } from "./head.ts";

const VARIABLE = "BREAKGLASS_AUDIT_KEY";

/**
 * Reads the key that heads are signed with: an Ed25519 private key in PEM.
 *
 * @throws ConfigError that names the file and what mends it.
 */
export function readKey(path: string): KeyObject {
  const pem = readSettingFile({ variable: VARIABLE, path, isSecret: true });
  try {
    const key = createPrivateKey(pem);
    rawKey(key);
    return key;
  } catch {
    throw new ConfigError(
      `${VARIABLE} is ${JSON.stringify(path)}, which holds no Ed25519 private key in PEM: make one with \`openssl genpkey -algorithm ed25519\``,
    );
  }
}

/** As `readKey`, making the file where there is none, for the server's user alone. @throws Error of `node:fs` too. */
export function readOrMakeKey(path: string): KeyObject {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync("ed25519");
    // Whole under its name, or not there: a server may be killed on the way.
    const made = `${path}.${process.pid}`;
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    try {
      writeFileSync(made, pem, { mode: 0o600, flush: true });
      linkSync(made, path);
    } finally {
      rmSync(made, { force: true });
    }
  }
  return readKey(path);
}

/** A key's public part in PEM. */
export function publicPem(key: KeyObject): string {
  return String(createPublicKey(key).export({ type: "spki", format: "pem" }));
}
