import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEF";

/** As random as such texts are: one in four is a digit. */
const letters = (length: number) =>
  Array.from(randomBytes(length), (byte, at) =>
    at % 4 === 3 ? byte % 10 : ALPHABET[byte % 32],
  ).join("");

/** A credential, and what has to stand before it, where it has no form of its own. */
export interface Sample {
  readonly kind: string;
  readonly before: string;
  readonly secret: string;
}

/** Credentials that are nobody's, made anew: none is in this repository. */
export function wellKnown(): Sample[] {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  return [
    { kind: "GitHub", before: "", secret: `ghp_${letters(36)}` },
    { kind: "GitLab", before: "", secret: `glpat-${letters(24)}` },
    { kind: "Anthropic", before: "", secret: `sk-ant-api03-${letters(93)}AA` },
    { kind: "npm", before: "", secret: `npm_${letters(36)}` },
    { kind: "Slack", before: "", secret: `xoxb-${letters(12)}-${letters(24)}` },
    { kind: "Stripe", before: "", secret: `sk_live_${letters(24)}` },
    { kind: "AWS", before: "aws_secret_access_key = ", secret: letters(40) },
    {
      kind: "PostgreSQL",
      before: "",
      secret: `postgres://admin:${letters(20)}@db.internal/billing`,
    },
    { kind: "private key", before: "", secret: privateKey.trim() },
    ...ownForms(),
  ];
}

/** Those that no rule of the preset finds. */
function ownForms(): Sample[] {
  const { privateKey } = generateKeyPairSync("ed25519");
  const [pkcs8, legacy] = ["pkcs8", "sec1"].map((type) => {
    const key =
      type === "sec1" ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey : privateKey;
    return String(key.export({ type: type as "pkcs8", format: "pem", ...LOCKED[type] })).trim();
  });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const said = `${part({ alg: "EdDSA", typ: "JWT" })}.${part({ sub: "alice", iat: 1 })}`;
  const signature = sign(null, Buffer.from(said), privateKey).toString("base64url");
  const sealed = [28, 24, 40].map((size) =>
    randomBytes(size).toString("base64url").padEnd(16, "A"),
  );
  return [
    {
      kind: "token of ours",
      before: "",
      secret: `breakglass_B${randomBytes(32).toString("base64url").slice(1)}`,
    },
    { kind: "key of Ed25519", before: "", secret: pkcs8! },
    { kind: "locked key", before: "", secret: legacy! },
    { kind: "JWT", before: "", secret: `${said}.${signature}` },
    {
      kind: "JWE",
      before: "",
      secret: `${part({ alg: "dir", enc: "A256GCM" })}..${sealed.join(".")}`,
    },
  ];
}

const LOCKED: Readonly<Record<string, object>> = {
  sec1: { cipher: "aes-128-cbc", passphrase: "made up" },
};

/** A value that is a secret for being known. */
export const knownValue = (length = 32) => `v${letters(length - 2)}+`;

/** Any of the longer parts of a secret that a text has. */
export function partIn(text: string, secret: string, length = 16): string | undefined {
  for (let at = 0; at + length <= secret.length; at++) {
    const part = secret.slice(at, at + length);
    if (text.includes(part)) return part;
  }
  return undefined;
}
