import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";

/** The audience of tokens that are meant for the service. */
export const AUDIENCE = "breakglass";

/** A key that an issuer signs with. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  /** As it is shown to everybody. */
  readonly jwk: JWK;
}

/** Makes one. */
export async function signingKey(kid: string, alg = "ES256"): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

/** An issuer: a server on loopback that shows its keys. */
export interface Issuer extends AsyncDisposable {
  readonly name: string;
  readonly uri: string;
  /** How often its keys were asked for. */
  readonly fetches: number;
  /** What it shows. */
  show(...keys: readonly SigningKey[]): void;
  /** Answers so from now on; undefined: with its keys. */
  answer(listener: RequestListener | undefined): void;
  /** Goes away, with its connections. */
  stop(): Promise<void>;
  /** Comes back where it was. */
  start(): Promise<void>;
}

/** Starts an issuer. */
export async function startIssuer(...keys: readonly SigningKey[]): Promise<Issuer> {
  let shown = keys;
  let fetches = 0;
  let listener: RequestListener | undefined;
  let server: Server | undefined;
  let port = 0;
  const start = async () => {
    server = createServer((request, response) => {
      fetches++;
      if (listener !== undefined) listener(request, response);
      else response.end(JSON.stringify({ keys: shown.map(({ jwk }) => jwk) }));
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as { port: number }).port;
  };
  const stop = async () => {
    if (server === undefined) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    server = undefined;
    await closed;
  };
  await start();
  return {
    name: `http://127.0.0.1:${port}`,
    uri: `http://127.0.0.1:${port}/keys`,
    get fetches() {
      return fetches;
    },
    show: (...next) => {
      shown = next;
    },
    answer: (next) => {
      listener = next;
    },
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** What a token says beside the usual. */
export interface TokenChanges {
  readonly claims?: JWTPayload;
  readonly header?: Record<string, unknown>;
}

/** Signs a token of an issuer's for the service, good for a while; `changes` say what is other about it. */
export function signToken(
  issuer: string,
  key: SigningKey,
  { claims = {}, header = {} }: TokenChanges = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: issuer, aud: AUDIENCE, sub: "alice", iat: now, exp: now + 600 };
  const given = Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined);
  return new SignJWT(Object.fromEntries(given))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey);
}

/** An entry of a file of issuers, in JSON, which is YAML too. */
export function issuerEntry(
  issuer: Pick<Issuer, "name" | "uri">,
  changes: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    ...{ issuer: issuer.name, audience: AUDIENCE, algorithms: ["ES256"] },
    ...{ jwks_uri: issuer.uri, default_roles: ["operator"], ...changes },
  };
}

/** Answers nothing for so long. */
export function silence(ms: number): RequestListener {
  return (_, response) => void delay(ms, undefined, { ref: false }).then(() => response.end("{}"));
}
