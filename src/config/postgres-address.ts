import { resolve } from "node:path";

/** A database in PostgreSQL and how it is reached. What is undefined is what libpq's variables say, such as PGPASSWORD. */
export interface PostgresAddress {
  /** Of which one takes writes. `host` is a name, an address, or the folder of a socket. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** Undefined: in clear text. */
  readonly tls: PostgresTls | undefined;
}

/** What the database's certificate is held to, and what is shown to it. Paths are absolute. */
export interface PostgresTls {
  /** Undefined: the authorities that this machine trusts. */
  readonly rootCert: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

const PORT = 5432;
const PATTERN = /^postgres(?:ql)?:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s;
const HOST = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/;
const PARAMETERS = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Reads `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=…`. Undefined: it is none. */
export function readPostgresAddress(text: string): PostgresAddress | undefined {
  const [isUrl, who = "", where = "", database = "", query = ""] = PATTERN.exec(text) ?? [];
  if (isUrl === undefined) return undefined;
  const parameters = new URLSearchParams(query);
  if ([...parameters.keys()].some((name) => !PARAMETERS.includes(name))) return undefined;
  const hosts = hostsOf(where || (parameters.get("host") ?? ""));
  const mode = parameters.get("sslmode") ?? (hosts?.every(isHere) ? "disable" : "verify-full");
  if (hosts === undefined || !/^(disable|verify-full)$/.test(mode)) return undefined;
  const [user, ...password] = who.split(":");
  const path = (name: string) => {
    const value = parameters.get(name);
    return value === null ? undefined : resolve(value);
  };
  const tls = { rootCert: path("sslrootcert"), cert: path("sslcert"), key: path("sslkey") };
  try {
    return {
      hosts,
      user: decodeURIComponent(user ?? "") || undefined,
      password: decodeURIComponent(password.join(":")) || undefined,
      database: decodeURIComponent(database) || undefined,
      tls: mode === "disable" ? undefined : tls,
    };
  } catch {
    return undefined;
  }
}

function hostsOf(where: string): PostgresAddress["hosts"] | undefined {
  const hosts = where.split(",").map((text) => {
    if (text.startsWith("/")) return { host: text, port: PORT };
    const [, host, port = String(PORT)] = HOST.exec(text) ?? [];
    if (host === undefined || Number(port) > 65_535) return undefined;
    return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  });
  return hosts.every((host) => host !== undefined) ? hosts : undefined;
}

/** Whether a host is reached without leaving this machine. */
function isHere({ host }: PostgresAddress["hosts"][number]): boolean {
  return host.startsWith("/") || LOOPBACK.test(host);
}
