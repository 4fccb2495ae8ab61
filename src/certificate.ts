import { createSecureContext } from "node:tls";
import { ConfigError } from "./config/config-error.ts";
import { readSettingFile } from "./setting-file.ts";

/** What the server proves by who it is: PEM of its certificate, with those that lead to its root, and of its key. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads a certificate and its key from their files.
 *
 * @throws ConfigError that names the file, or both where they do not belong together.
 */
export function readCertificate({ cert, key }: { cert: string; key: string }): Certificate {
  const pem = {
    cert: readSettingFile({ variable: "BREAKGLASS_TLS_CERT", path: cert, isSecret: false }),
    key: readSettingFile({ variable: "BREAKGLASS_TLS_KEY", path: key, isSecret: true }),
  };
  try {
    createSecureContext(pem);
    return pem;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new ConfigError(
      `BREAKGLASS_TLS_CERT is ${JSON.stringify(cert)} and BREAKGLASS_TLS_KEY is ${JSON.stringify(key)}, which are no certificate and its key: ${why}`,
    );
  }
}
