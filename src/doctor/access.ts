import { X509Certificate } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { readKey } from "../audit/key-file.ts";
import { readCertificate } from "../certificate.ts";
import { ConfigError } from "../config/config-error.ts";
import { connectError, refuseDirectory } from "../edge/unix-socket.ts";
import { tellsPeople } from "../identity-rules.ts";
import { bracketed, isAnyAddress } from "../rpc/hosts.ts";
import { readFiles, refuseUnusableAccess } from "../server/access.ts";
import { failure, type MachineCheck, type Outcome, warning, well } from "./examination.ts";

const DAY_MS = 86_400_000;
/** A certificate that ends sooner is to be renewed now. */
const SOON_MS = 14 * DAY_MS;
const ANSWER_MS = 3000;

/** Whether who may come in is said in a way that the server takes, and what it signs its audit with. */
export const accessCheck: MachineCheck = {
  name: "access",
  async look(config) {
    try {
      refuseUnusableAccess(config, readFiles({ ...config, tls: undefined }));
      if (config.audit === "on" && !config.isAuditKeyOwn) readKey(config.auditKeyFile);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return failure(error.message, "mend the setting that it names, or its file");
    }
    if (!tellsPeople(config))
      return well("no tokens are set: processes of the server's user are `local`");
    return well(
      config.tokensFile === undefined
        ? "callers sign in, by other means than tokens"
        : `tokens are read from ${config.tokensFile}`,
    );
  },
};

/** How long the server's certificate holds. */
export const certificateCheck: MachineCheck = {
  name: "certificate",
  async look({ tls }) {
    if (tls === undefined) return undefined;
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(readCertificate(tls).cert);
    } catch (error) {
      return failure(
        (error as Error).message,
        "mend the files of BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY",
      );
    }
    const { validFromDate, validToDate } = certificate;
    const mend = "renew it, and have the server read it: kill -HUP";
    if (validFromDate.getTime() > Date.now()) {
      return failure(`the certificate holds from ${validFromDate.toISOString()} only`, mend);
    }
    const left = validToDate.getTime() - Date.now();
    if (left < 0) return failure(`the certificate ended at ${validToDate.toISOString()}`, mend);
    const said = `the certificate holds until ${validToDate.toISOString()}, ${Math.floor(left / DAY_MS)} days more`;
    return left < SOON_MS ? warning(said, mend) : well(said);
  },
};

/** Whether the address is free, or this service's already. */
export const listenCheck: MachineCheck = {
  name: "listen",
  async look({ listen, tls }, signal) {
    if ("path" in listen) return lookAtSocket(listen.path, signal);
    const { host, port } = listen;
    const shown = `${bracketed(host)}:${port}`;
    const code = await bindingFailure(host, port);
    if (code === undefined) return well(`${shown} is free: no server runs there now`);
    if (code !== "EADDRINUSE") {
      return failure(
        `${shown} cannot be listened on: ${code}`,
        "set BREAKGLASS_LISTEN to an address of this machine",
      );
    }
    const there = isAnyAddress(host) ? "127.0.0.1" : host;
    const place = { host: there, port, isEncrypted: tls !== undefined };
    return (
      (await serving(place, shown, signal)) ?? failure(`another program listens on ${shown}`, OTHER)
    );
  },
};

const OTHER = "end it, or set BREAKGLASS_LISTEN to another port";

/** Whether a server's socket is free: one that a killed server left is. */
async function lookAtSocket(path: string, signal: AbortSignal): Promise<Outcome> {
  try {
    refuseDirectory(path);
  } catch (error) {
    return failure((error as Error).message, "do what it says, or set another BREAKGLASS_LISTEN");
  }
  const code = await connectError(path);
  if (code !== undefined) return well(`nobody listens on ${path}: no server runs there now`);
  return (
    (await serving({ socketPath: path, isEncrypted: false }, path, signal)) ??
    failure(`another program listens on ${path}`, OTHER)
  );
}

function bindingFailure(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Where something listens. */
type ListeningPlace = { readonly isEncrypted: boolean } & (
  | { readonly host: string; readonly port: number }
  | { readonly socketPath: string }
);

/** What a server of this service says of itself. Undefined: it is none that listens there. */
async function serving(
  { isEncrypted, ...place }: ListeningPlace,
  shown: string,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const answered = Promise.withResolvers<string>();
  // Who it is is looked at by `certificate`: here it is only asked how it is. A socket has no name of its own.
  const options = {
    ...{ ...place, path: "/readyz", agent: false, signal: bounded, rejectUnauthorized: false },
    ...("socketPath" in place ? { headers: { host: "localhost" } } : {}),
  };
  const ask = isEncrypted ? requestHttps : requestHttp;
  ask(options, (response) => {
    text(response).then(answered.resolve, answered.reject);
  })
    .on("error", answered.reject)
    .end();
  try {
    const { ready, checks } = JSON.parse(await answered.promise) as {
      ready?: boolean;
      checks?: { name: string; ok: boolean }[];
    };
    if (checks === undefined) return undefined;
    if (ready) return well(`a server runs on ${shown}, and is ready`);
    const failing = checks.filter(({ ok }) => !ok).map(({ name }) => name);
    return failure(
      `a server runs on ${shown}, and is not ready: ${failing.join(", ")}`,
      `ask it why: ${curlOf(place, isEncrypted, shown)}`,
    );
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function curlOf(place: object, isEncrypted: boolean, shown: string): string {
  if ("socketPath" in place) return `curl --unix-socket ${shown} http://localhost/readyz`;
  return isEncrypted ? `curl -k https://${shown}/readyz` : `curl http://${shown}/readyz`;
}
