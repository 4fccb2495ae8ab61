import type { X509Certificate } from "node:crypto";
import { z } from "zod";
import { type Authenticator, failed, type Presented, type Verdict } from "./authenticator.ts";
import type { Principal } from "./caller.ts";
import { NAME_KINDS, nameKey, namesOf } from "./certificate-names.ts";
import { roleList } from "./roles.ts";
import { readYamlFile } from "./yaml-file.ts";

const VARIABLE = "BREAKGLASS_CLIENT_CERTIFICATES_FILE";

const name = z.string({ error: "takes a text" }).min(1, { error: "takes a text" });
const entry = z
  .strictObject(
    {
      ...{ dn: name.optional(), cn: name.optional() },
      ...{ dns: name.optional(), uri: name.optional(), email: name.optional() },
      principal: z
        .string({ error: "takes a principal" })
        .regex(/^[!-~]{1,256}$/, { error: "takes printable ASCII without spaces" }),
      roles: roleList.default(["operator"]),
    },
    {
      error: ({ code }) =>
        code === "unrecognized_keys" ? "is not known" : "takes a name, a principal and roles",
    },
  )
  .transform((given) => {
    const keys = NAME_KINDS.flatMap((kind) => {
      const value = given[kind];
      return value === undefined ? [] : nameKey(kind, value);
    });
    return { keys, principal: given.principal, roles: given.roles };
  })
  .refine(({ keys }) => keys.length === 1, {
    error: `takes one of ${NAME_KINDS.join(", ")}: the name that certificates have`,
  });

const file = z
  .array(entry, { error: "takes a list of entries" })
  .min(1, { error: "takes one entry at least" })
  .superRefine((entries, context) => {
    for (const [index, { keys }] of entries.entries()) {
      const first = entries.findIndex((other) => other.keys[0] === keys[0]);
      if (first === index) continue;
      const message = `names the same as [${first}]: each name stands in the file once`;
      context.addIssue({ code: "custom", path: [index], message });
    }
  });

/** Whom certificates stand for. */
export class CertificateMap {
  /** In the order of the file. */
  readonly #principals: ReadonlyMap<string, Principal>;

  /**
   * Reads it from a file of YAML or JSON: a list of entries, each with one name, a principal and roles.
   *
   * @throws ConfigError that names the line to mend.
   */
  static read(path: string): CertificateMap {
    return new CertificateMap(readYamlFile({ variable: VARIABLE, path, isSecret: false }, file));
  }

  constructor(entries: z.infer<typeof file>) {
    const means = "certificate" as const;
    this.#principals = new Map(
      entries.map(({ keys, principal, roles }) => [keys[0]!, { name: principal, roles, means }]),
    );
  }

  /** Whom it stands for, by the first entry of the file that is one of its names; undefined: nobody. */
  principalOf(certificate: X509Certificate): Principal | undefined {
    const names = namesOf(certificate);
    for (const [key, principal] of this.#principals) if (names.has(key)) return principal;
    return undefined;
  }

  /** Whether there is an entry of theirs. */
  knows(principal: string): boolean {
    return [...this.#principals.values()].some((known) => known.name === principal);
  }
}

/**
 * Tells somebody by the certificate of their connection. One that stands for nobody shows nothing; that its signer is trusted,
 * TLS has seen to.
 */
export class CertificateAuthenticator implements Authenticator {
  readonly #map: () => CertificateMap;
  readonly #proxies: ReadonlySet<string>;

  /** @param proxies - Names of proxies, as `nameKey` writes them: theirs speak for their users, and never for themselves. */
  constructor(map: () => CertificateMap, proxies: ReadonlySet<string>) {
    this.#map = map;
    this.#proxies = proxies;
  }

  authenticate({ peer: { certificate } }: Presented): Verdict | undefined {
    if (certificate === undefined) return undefined;
    if (hasName(certificate, this.#proxies)) return undefined;
    const principal = this.#map().principalOf(certificate);
    if (principal === undefined) return undefined;
    // The connection may be older than its end.
    if (Date.now() >= certificate.validToDate.getTime()) {
      return failed("certificate", "its certificate has expired");
    }
    return { principal };
  }

  knows(principal: string): boolean {
    return this.#map().knows(principal);
  }
}

/** Whether a certificate has one of some names. */
export function hasName(certificate: X509Certificate, names: ReadonlySet<string>): boolean {
  return names.size > 0 && !names.isDisjointFrom(namesOf(certificate));
}
