import { constants, hkdfSync, X509Certificate } from "node:crypto";
import type { ConnectionOptions, TLSSocket, TlsOptions } from "node:tls";
import { readCertificate, readClientCa } from "../certificate.ts";
import { ConfigError } from "../config/config-error.ts";
import { nameKey, namesOf } from "../identity/certificate-names.ts";
import { readSettingFile } from "../setting-file.ts";
import type { ClusterProof } from "./cluster-settings.ts";

/** By what two replicas know each other: each end of a connection proves itself in the handshake of TLS. */
export interface Credentials {
  /** What is listened with. */
  readonly listening: TlsOptions;
  /** What is connected with. */
  readonly connecting: ConnectionOptions;
  /** Whether who is at the other end of a connection, whose handshake is done, is a replica. */
  isPeer(socket: TLSSocket): boolean;
}

/** What is spoken; and whoever came once shows again who it is when it comes again. */
const COMMON = {
  ALPNProtocols: ["h2"],
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
};

/** Of TLS 1.2: with forward secrecy, so that who learns the secret later reads nothing of what was recorded before. */
const SECRET_CIPHER = "ECDHE-PSK-CHACHA20-POLY1305";
const SECRET_IDENTITY = "breakglass";
const LEAST_SECRET_CHARACTERS = 32;
const KEY_BYTES = 32;

/** Reads the files of the credentials that are set; may be called again when they change. Throws ConfigError. */
export function readCredentials(proof: ClusterProof): Credentials {
  return proof.kind === "secret"
    ? secretCredentials(proof.file)
    : certificateCredentials(proof.files, proof.ca, proof.peers);
}

/** The files that credentials are read from. */
export function credentialFiles(proof: ClusterProof): readonly string[] {
  return proof.kind === "secret" ? [proof.file] : [proof.files.cert, proof.files.key, proof.ca];
}

function certificateCredentials(
  files: { readonly cert: string; readonly key: string },
  caPath: string,
  peers: readonly string[],
): Credentials {
  const variables = { cert: "BREAKGLASS_CLUSTER_CERT_FILE", key: "BREAKGLASS_CLUSTER_KEY_FILE" };
  const pair = readCertificate(files, variables);
  const ca = readClientCa(caPath, "BREAKGLASS_CLUSTER_CA_FILE");
  const names = new Set(peers.length > 0 ? peers.map(keyOf) : ownNames(pair.cert, files.cert));
  const hasName = (certificate: X509Certificate) =>
    [...namesOf(certificate)].some((name) => names.has(name));
  const shown = { ...COMMON, ...pair, ca, minVersion: "TLSv1.3" as const };
  return {
    listening: { ...shown, requestCert: true, rejectUnauthorized: true },
    connecting: {
      ...shown,
      rejectUnauthorized: true,
      // An address of the record may be a number; who is there is told by the name that replicas have.
      checkServerIdentity: (_host, { raw }) =>
        hasName(new X509Certificate(raw))
          ? undefined
          : new Error("its certificate has no name of a replica's: see BREAKGLASS_CLUSTER_PEERS"),
    },
    isPeer(socket) {
      const certificate = socket.getPeerX509Certificate();
      return socket.authorized && certificate !== undefined && hasName(certificate);
    },
  };
}

/** A name as it is set, `dns:NAME`. */
function keyOf(text: string): string {
  const colon = text.indexOf(":");
  return nameKey(text.slice(0, colon) as Parameters<typeof nameKey>[0], text.slice(colon + 1));
}

/** Names alone: whole subjects are those of one certificate. */
function ownNames(pem: Buffer, path: string): string[] {
  const names = [...namesOf(new X509Certificate(pem))].filter((name) => !name.startsWith("dn:"));
  if (names.length > 0) return names;
  throw new ConfigError(
    `BREAKGLASS_CLUSTER_CERT_FILE is ${JSON.stringify(path)}, which has no name that others could have too: set BREAKGLASS_CLUSTER_PEERS`,
  );
}

/** Both ends prove that they know the secret (RFC 4279, RFC 5489), freshly each time, and neither says it. */
function secretCredentials(path: string): Credentials {
  const key = keyFrom(path);
  const shown = {
    ...COMMON,
    ciphers: SECRET_CIPHER,
    minVersion: "TLSv1.2" as const,
    maxVersion: "TLSv1.2" as const,
  };
  return {
    listening: {
      ...shown,
      pskCallback: (_socket, identity) => (identity === SECRET_IDENTITY ? key : null),
    },
    connecting: {
      ...shown,
      pskCallback: () => ({ psk: key, identity: SECRET_IDENTITY }),
      // There are no certificates.
      checkServerIdentity: () => undefined,
    },
    isPeer: (socket) => socket.getCipher().name === SECRET_CIPHER,
  };
}

function keyFrom(path: string): Buffer {
  const variable = "BREAKGLASS_CLUSTER_SECRET_FILE";
  const secret = readSettingFile({ variable, path, isSecret: true }).toString().trim();
  if (secret.length < LEAST_SECRET_CHARACTERS || /[^!-~]/.test(secret)) {
    throw new ConfigError(
      `${variable} is ${JSON.stringify(path)}, which must hold one line of ${LEAST_SECRET_CHARACTERS} characters or more, of ASCII without spaces: openssl rand -hex 32`,
    );
  }
  return Buffer.from(hkdfSync("sha256", secret, "", "breakglass cluster", KEY_BYTES));
}
