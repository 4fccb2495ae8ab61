import { createSecureContext } from "node:tls";
import { ConfigError } from "./config/config-error.ts";
import { readSettingFile } from "./setting-file.ts";

/** What the server proves by who it is: PEM of its certificate, with those that lead to its root, and of its key. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Which settings name the files of a certificate. */
interface CertificateVariables {
  readonly cert: string;
  readonly key: string;
}

const OWN: CertificateVariables = { cert: "BREAKGLASS_TLS_CERT", key: "BREAKGLASS_TLS_KEY" };

/**
 * Reads a certificate and its key from their files.
 *
 * @throws ConfigError that names the file, or both where they do not belong together.
 */
export function readCertificate(
  { cert, key }: { cert: string; key: string },
  variables = OWN,
): Certificate {
  const pem = {
    cert: readSettingFile({ variable: variables.cert, path: cert, isSecret: false }),
    key: readSettingFile({ variable: variables.key, path: key, isSecret: true }),
  };
  try {
    createSecureContext(pem);
    return pem;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new ConfigError(
      `${variables.cert} is ${JSON.stringify(cert)} and ${variables.key} is ${JSON.stringify(key)}, which are no certificate and its key: ${why}`,
    );
  }
}

/**
 * Reads the certificates of those who sign others' certificates: clients', unless `variable` is another.
 *
 * @throws ConfigError that names the file.
 */
export function readClientCa(path: string, variable = "BREAKGLASS_CLIENT_CA"): Buffer {
  const file = { variable, path, isSecret: false };
  const ca = readSettingFile(file);
  try {
    if (!ca.includes("-----BEGIN CERTIFICATE-----")) throw new Error("no certificate");
    createSecureContext({ ca });
    return ca;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${variable} is ${JSON.stringify(path)}, which holds no certificates in PEM: ${code ?? message}`,
    );
  }
}
