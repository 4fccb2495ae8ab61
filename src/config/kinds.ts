import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { z } from "zod";
import { ROLES, type Role } from "../identity/caller.ts";
import { type PostgresAddress, readPostgresAddress } from "./postgres-address.ts";
import { quantityText, type Unit } from "./quantity.ts";
import { readSnapshotUrl, type SnapshotUrl } from "./snapshot-url.ts";

/** What a setting can be: how its text is read, and how that is said. */
export interface Kind<T> {
  /** Behind "takes", for errors and documents. */
  readonly takes: string;
  /** From the text of the variable, which is not empty unless it is the default. */
  readonly schema: z.ZodType<T>;
  /** Only of numbers. Both are taken. */
  readonly bounds?: { readonly least: number; readonly most: number; readonly unit: Unit };
}

/** A port of TCP. */
export interface TcpAddress {
  /** A host name or an address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** A socket in the file system, which this machine alone reaches. */
export interface UnixAddress {
  /** Absolute. */
  readonly path: string;
}

/** Where the server listens. */
export type ListenAddress = TcpAddress | UnixAddress;

/** What such an address begins with. */
export const UNIX_PREFIX = "unix:";
/** What Linux takes for a socket's path (unix(7)), in bytes; other systems take 104, and say so themselves. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A whole number. */
export function whole(least: number, most: number, unit: Unit = "things"): Kind<number> {
  const [from, to] = [quantityText(least, unit), quantityText(most, unit)];
  const schema = z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most));
  const what = unit === "things" ? "a whole number" : `a whole number of ${unit}`;
  return { takes: `${what} from ${from} to ${to}`, schema, bounds: { least, most, unit } };
}

/** Whole seconds, which are read as milliseconds. */
export function seconds(least: number, most: number): Kind<number> {
  const kind = whole(least, most, "seconds");
  return { ...kind, schema: kind.schema.transform((value) => value * 1000) };
}

/** Whole bytes. */
export function bytes(least: number, most: number): Kind<number> {
  return whole(least, most, "bytes");
}

/** US dollars. */
export const usd: Kind<number> = {
  takes: "US dollars from 0 to 999999999, such as 2.50",
  schema: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,6})?$/)
    .transform(Number),
};

/** One of a few words. */
export function choice<W extends string>(...words: readonly [W, ...W[]]): Kind<W> {
  return { takes: words.join(" or "), schema: z.enum(words) };
}

const withoutNul = z.string().refine((text) => !text.includes("\0"));

/** A path, which is made absolute. */
export function path(takes: string): Kind<string> {
  return { takes, schema: withoutNul.transform((text) => resolve(text)) };
}

/** A name stays one; a path is the server's, and never one in the workspace where it is run. */
export const executable: Kind<string> = {
  takes: "the path or the name of one executable, without arguments",
  schema: withoutNul.transform((text) => (text.includes("/") ? resolve(text) : text)),
};

/** What becomes an argument of the agent's program, and is never taken for an option. */
export const name: Kind<string> = {
  takes: "letters, digits and ._:/@-, not beginning with -, at most 256",
  schema: z
    .string()
    .max(256)
    .regex(/^[A-Za-z0-9._:/@][A-Za-z0-9._:/@-]*$/),
};

const tcpAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/)
  .transform((text): TcpAddress => {
    const colon = text.lastIndexOf(":");
    const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
    return { host, port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535);

/** A port of TCP that others are told of. */
export const hostAndPort: Kind<TcpAddress> = {
  takes: "HOST:PORT, such as 10.0.0.7:7434",
  schema: tcpAddress.refine(({ port }) => port > 0),
};

/** `unix:` and an absolute path, which the kernel has no more room for. */
const unixAddress = z.string().refine((text) => {
  const path = text.slice(UNIX_PREFIX.length);
  const isShort = Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
  return text.startsWith(`${UNIX_PREFIX}/`) && isShort && !path.includes("\0");
});

/** A user of this machine. */
export const user: Kind<string> = {
  takes: "the name or the number of a user",
  schema: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,255}$/),
};

/** `HOST:PORT`, an IPv6 address in brackets; or `unix:` and a path. */
export const address: Kind<ListenAddress> = {
  takes: `HOST:PORT, such as 127.0.0.1:7433, or unix:/PATH with at most ${MAX_SOCKET_PATH_BYTES} bytes of path`,
  schema: z.union([
    unixAddress.transform(
      (text): ListenAddress => ({ path: resolve(text.slice(UNIX_PREFIX.length)) }),
    ),
    tcpAddress,
  ]),
};

/** The URL of a server. */
export const serverUrl: Kind<string> = {
  takes: "an http or https URL, or unix:/PATH",
  schema: z.union([z.url({ protocol: /^https?$/ }), unixAddress]),
};

/** A database in PostgreSQL. */
export const postgresAddress: Kind<PostgresAddress> = {
  takes:
    "postgres://USER@HOST:PORT,HOST:PORT/DATABASE, with ?sslmode=verify-full or disable, sslrootcert, sslcert and sslkey, and host=/FOLDER of a socket",
  schema: withoutNul.transform((text, context) => {
    const address = readPostgresAddress(text);
    if (address !== undefined) return address;
    context.issues.push({ code: "custom", message: "not such an address", input: text });
    return z.NEVER;
  }),
};

/** Where snapshots are kept. */
export const snapshotUrl: Kind<SnapshotUrl> = {
  takes: "s3://BUCKET/PREFIX, with ?endpoint=https://HOST:PORT and region, or file:/FOLDER",
  schema: withoutNul.transform((text, context) => {
    const url = readSnapshotUrl(text);
    if (url !== undefined) return url;
    context.issues.push({ code: "custom", message: "not such a URL", input: text });
    return z.NEVER;
  }),
};

/** Where syslog listens. */
export interface SyslogAddress {
  readonly protocol: "unix" | "tcp" | "udp";
  /** Of a socket in the file system its path, else a host without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A socket in the file system, of streams or datagrams, or a host and its port. */
export const syslogAddress: Kind<SyslogAddress> = {
  takes: "unix:/PATH, tcp://HOST:PORT or udp://HOST:PORT",
  schema: z
    .string()
    .regex(/^(unix:\/.+|(tcp|udp):\/\/(\[[0-9a-fA-F:.]+\]|[^:[\]\s/]+):\d{1,5})$/)
    .refine((text) => !text.includes("\0"))
    .transform((text): SyslogAddress => {
      if (text.startsWith("unix:")) return { protocol: "unix", host: text.slice(5), port: 0 };
      const [protocol, place] = text.split("://") as ["tcp" | "udp", string];
      const colon = place.lastIndexOf(":");
      const host = place.slice(0, colon).replace(/^\[|\]$/g, "");
      return { protocol, host, port: Number(place.slice(colon + 1)) };
    })
    .refine(({ port }) => port <= 65_535),
};

const printable = z.string().regex(/^[!-~]+$/);

/** What a header can carry. */
export const token: Kind<string> = {
  takes: "printable ASCII without spaces",
  schema: printable,
};

/** What hashing a variable gives that is not set, with `printf` and with `echo`. */
const NO_TOKENS = ["", "\n"].map((text) => createHash("sha256").update(text).digest("hex"));

/** SHA-256 of a token, which only its bearer knows. */
export const tokenHash: Kind<Buffer> = {
  takes: "sha256: and the 64 hex digits of a token's SHA-256",
  schema: z
    .string()
    .regex(/^sha256:[0-9a-fA-F]{64}$/)
    .transform((text) => text.slice("sha256:".length).toLowerCase())
    .refine((hex) => !NO_TOKENS.includes(hex))
    .transform((hex) => Buffer.from(hex, "hex")),
};

/** Names of environment variables. */
export const variableNames = list(
  "names of environment variables",
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
);

const ROLE_NAMES: readonly string[] = ROLES;

/** What somebody may do. */
export const roles: Kind<readonly Role[]> = {
  takes: `roles: ${ROLES.join(", ")}, separated by commas`,
  schema: z
    .string()
    .transform((text) => text.split(",").map((role) => role.trim()))
    .refine((names) => names.every((name) => ROLE_NAMES.includes(name)))
    .transform((names) => ROLES.filter((role) => names.includes(role))),
};

/** Headers that say something else than who somebody is, or are not a request's but a connection's. */
const TAKEN_HEADERS =
  /^(?:authorization|connection|content-.*|cookie|host|keep-alive|origin|te|trailer|transfer-encoding|upgrade)$/;

/** A header's name, in lower case. Without `_`: many a server takes that for a `-`. */
export const headerName: Kind<string> = {
  takes: "the name of a header of its own, such as X-Forwarded-User",
  schema: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,99}$/)
    .transform((name) => name.toLowerCase())
    .refine((name) => !TAKEN_HEADERS.test(name)),
};

/** Names in certificates, each with its kind. */
export const certificateNames = list(
  "names in certificates, each cn:NAME, dns:NAME, uri:NAME or email:NAME",
  z.string().regex(/^(?:cn|dns|uri|email):[!-~]+$/),
);

/** Those whom tokens stand for. */
export const principals = list("principals", printable);

/** Origins as browsers send them. */
export const origins = list(
  "origins such as https://ops.example.com",
  z.string().refine((text) => {
    return URL.canParse(text) && new URL(text).origin === text && text !== "null";
  }),
);

/** Hosts as clients send them, in lower case. */
export const hosts = list(
  "hosts as clients name them, with or without a port",
  z
    .string()
    .regex(/^[^/\s@]+$/)
    .transform((host) => host.toLowerCase()),
);

/** The kinds of what is told outside. */
export const notificationKinds = list(
  "approval.requested, approval.resolved and turn.ended",
  z.enum(["approval.requested", "approval.resolved", "turn.ended"]),
);

/** Headers as OpenTelemetry's variables write them: `NAME=VALUE,NAME=VALUE`, the values percent-encoded where it is needed. */
export const headers: Kind<Record<string, string>> = {
  takes: "headers as NAME=VALUE, separated by commas, with values that are percent-encoded",
  schema: z
    .string()
    .transform((text) =>
      text
        .split(",")
        .map((pair) => pair.trim())
        .filter((pair) => pair !== "")
        .map((pair) => [pair.split("=", 1)[0]!.trim().toLowerCase(), decoded(pair)] as const),
    )
    .refine((pairs) =>
      pairs.every(
        ([name, value]) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) && /^[ -~]+$/.test(value),
      ),
    )
    .transform((pairs) => Object.fromEntries(pairs)),
};

/** The value behind the first `=`; empty where there is none, or where it is wrongly encoded. */
function decoded(pair: string): string {
  const at = pair.indexOf("=");
  try {
    return at === -1 ? "" : decodeURIComponent(pair.slice(at + 1).trim());
  } catch {
    return "";
  }
}

function list<T extends string>(what: string, item: z.ZodType<T, string>): Kind<T[]> {
  const schema = z
    .string()
    .transform((text) =>
      text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    )
    .pipe(z.array(item));
  return { takes: `${what}, separated by commas`, schema };
}
