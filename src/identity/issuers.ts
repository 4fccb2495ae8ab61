import { dirname, resolve } from "node:path";
import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile } from "../setting-file.ts";
import { parseKeySet } from "./key-set.ts";
import { roleList } from "./roles.ts";
import { readYamlFile } from "./yaml-file.ts";

const VARIABLE = "BREAKGLASS_JWT_ISSUERS_FILE";
/** Nobody but the issuer can make a signature that these take: what checks one is no secret. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
] as const;
const MAX_SKEW_SECONDS = 300;

const text = z
  .string({ error: "takes a text" })
  .min(1, { error: "takes a text that is not empty" });
const algorithm = z.string().refine((name) => (ALGORITHMS as readonly string[]).includes(name), {
  error: `takes ${ALGORITHMS.join(", ")}: what HS… and none accept others than the issuer can make`,
});
const keysUri = z.string().refine(isSafeUri, {
  error: "takes an https URL without a user, or an http one of a loopback address",
});

const issuer = z
  .strictObject(
    {
      issuer: text,
      audience: z.union([text, z.array(text).min(1)], { error: "takes a text or a list of texts" }),
      algorithms: z
        .array(algorithm, { error: `takes a list of ${ALGORITHMS.join(", ")}` })
        .min(1, { error: "takes one algorithm at least" }),
      jwks_uri: keysUri.optional(),
      jwks_file: text.optional(),
      name_claim: text.default("sub"),
      name_prefix: z
        .string()
        .regex(/^[!-~]{1,64}$/, { error: "takes printable ASCII without spaces" })
        .default(""),
      roles_claim: text.optional(),
      roles: z.record(z.string(), roleList).optional(),
      default_roles: roleList.optional(),
      clock_skew_seconds: z
        .number({ error: `takes a number from 0 to ${MAX_SKEW_SECONDS}` })
        .min(0, { error: `takes a number from 0 to ${MAX_SKEW_SECONDS}` })
        .max(MAX_SKEW_SECONDS, { error: `takes a number from 0 to ${MAX_SKEW_SECONDS}` })
        .default(30),
      typ: text.optional(),
    },
    { error: messageOfObject },
  )
  .refine(({ jwks_uri: uri, jwks_file: file }) => (uri === undefined) !== (file === undefined), {
    error: "takes either jwks_uri or jwks_file",
  })
  .refine(({ roles, roles_claim: claim }) => roles === undefined || claim !== undefined, {
    error: "has roles, and takes roles_claim too: the claim whose values they are of",
  })
  .refine((given) => given.roles_claim !== undefined || given.default_roles !== undefined, {
    error: "takes default_roles or roles_claim: nobody of it would have a role",
  });

const file = z.strictObject(
  {
    issuers: z
      .array(issuer, { error: "takes a list of issuers" })
      .min(1, { error: "takes one issuer at least" })
      .superRefine((issuers, context) => {
        for (const [index, { issuer: name }] of issuers.entries()) {
          const first = issuers.findIndex((other) => other.issuer === name);
          if (first === index) continue;
          const message = `is that of issuers[${first}] too: each stands in the file once`;
          context.addIssue({ code: "custom", path: [index, "issuer"], message });
        }
      }),
  },
  { error: messageOfObject },
);

/** An issuer whose tokens are accepted, as the file has it. */
export type Issuer = z.infer<typeof issuer> & {
  /** Of an issuer that has its keys in a file. */
  readonly keys: JSONWebKeySet | undefined;
};

/** The issuers, and the files that say so. */
export interface Issuers {
  readonly byName: ReadonlyMap<string, Issuer>;
  readonly files: readonly string[];
}

/**
 * Reads the issuers, and the keys of those that have them in a file.
 *
 * @param path - An absolute path.
 * @throws ConfigError that names the line to mend.
 */
export function readIssuers(path: string): Issuers {
  const { issuers } = readYamlFile({ variable: VARIABLE, path, isSecret: false }, file);
  const files = [path];
  const read = issuers.map((given): Issuer => {
    if (given.jwks_file === undefined) return { ...given, keys: undefined };
    const keysPath = resolve(dirname(path), given.jwks_file);
    files.push(keysPath);
    return { ...given, keys: readKeys(keysPath) };
  });
  return { byName: new Map(read.map((given) => [given.issuer, given])), files };
}

function readKeys(path: string): JSONWebKeySet {
  const text = readSettingFile({ variable: VARIABLE, path, isSecret: false }).toString("utf8");
  try {
    return parseKeySet(text);
  } catch (error) {
    throw new ConfigError(
      `${VARIABLE}: its jwks_file ${JSON.stringify(path)} ${(error as Error).message}`,
    );
  }
}

/** What passes on its way through nobody who could change it. */
function isSafeUri(uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname, username, password } = new URL(uri);
  if (username !== "" || password !== "") return false;
  const isLoopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
  return protocol === "https:" || (protocol === "http:" && isLoopback);
}

function messageOfObject(found: { readonly code?: string }): string | undefined {
  if (found.code === "unrecognized_keys") return "is not known";
  return found.code === "invalid_type" ? "takes fields with values" : undefined;
}
