import { generateKeyPairSync, randomBytes } from "node:crypto";

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
  ];
}

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
