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

/**
 * Reads the certificates of those who sign clients' certificates.
 *
 * @throws ConfigError that names the file.
 */
export function readClientCa(path: string): Buffer {
  const file = { variable: "BREAKGLASS_CLIENT_CA", path, isSecret: false };
  const ca = readSettingFile(file);
  try {
    if (!ca.includes("-----BEGIN CERTIFICATE-----")) throw new Error("no certificate");
    createSecureContext({ ca });
    return ca;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `BREAKGLASS_CLIENT_CA is ${JSON.stringify(path)}, which holds no certificates in PEM: ${code ?? message}`,
    );
  }
}
