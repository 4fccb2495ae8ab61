import { resolve } from "node:path";
import { z } from "zod";
import { ROLES, type Role } from "../identity/caller.ts";
import { quantityText, type Unit } from "./quantity.ts";

/** What a setting can be: how its text is read, and how that is said. */
export interface Kind<T> {
  /** Behind "takes", for errors and documents. */
  readonly takes: string;
  /** From the text of the variable, which is not empty unless it is the default. */
  readonly schema: z.ZodType<T>;
  /** Only of numbers. Both are taken. */
  readonly bounds?: { readonly least: number; readonly most: number; readonly unit: Unit };
}

/** Where the server listens. */
export interface ListenAddress {
  /** A host name or an address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

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

/** `HOST:PORT`; an IPv6 address in brackets. */
export const address: Kind<ListenAddress> = {
  takes: "HOST:PORT, such as 127.0.0.1:7433",
  schema: z
    .string()
    .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/)
    .transform((text): ListenAddress => {
      const colon = text.lastIndexOf(":");
      const host = text.slice(0, colon).replace(/^\[|\]$/g, "");
      return { host, port: Number(text.slice(colon + 1)) };
    })
    .refine(({ port }) => port <= 65_535),
};

/** The URL of a server. */
export const serverUrl: Kind<string> = {
  takes: "an http or https URL",
  schema: z.url({ protocol: /^https?$/ }),
};

const printable = z.string().regex(/^[!-~]+$/);

/** What a header can carry. */
export const token: Kind<string> = {
  takes: "printable ASCII without spaces",
  schema: printable,
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

function list(what: string, item: z.ZodType<string, string>): Kind<string[]> {
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
