import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import type { HttpRequest } from "../edge/http.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal } from "../errors.ts";
import type { Call } from "../rpc/request-listener.ts";
import { allowMethods } from "./allow-methods.ts";
import { Problem } from "./problem.ts";

/** Paths of the page's views; all of them are the same document, which reads its address. */
const VIEW = /^\/(?:(?:turns|sessions)\/[^/]+)?$/;
/** What the bundler names by its content: another content has another name. */
const NAMED_BY_CONTENT = /^\/assets\//;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".png": "image/png",
};

/** The page may load from here alone, runs no text as a program, and stands in no other page. */
const POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "font-src", "connect-src", "manifest-src", "worker-src"].map(
    (what) => `${what} 'self'`,
  ),
  "img-src 'self' data: blob:",
  ...["base-uri", "form-action", "frame-ancestors"].map((what) => `${what} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types svelte-trusted-html dompurify",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/** The encodings that the build may have a file in beside its own, the smallest first. */
const ENCODINGS = [
  { name: "br", suffix: ".br" },
  { name: "gzip", suffix: ".gz" },
] as const;

/** The files of the built console, by their paths below `/`; read once, so that the page is there when the disk is not. */
export type ConsoleFiles = ReadonlyMap<string, Buffer>;

/** Reads the built console; undefined where it was not built. */
export function readConsole(): ConsoleFiles | undefined {
  const folder = join(packageFolder(), "console", "dist");
  try {
    const names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return new Map(names.map((path) => [path.slice(folder.length), readFileSync(path)]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * What answers with the page and its files. Whoever reaches the server by its own name gets them: they say nothing of it.
 *
 * @param files - Undefined: it was not built.
 * @returns Answers a path; undefined: it is none of the page's.
 */
export function consoleAnswers(
  files: ConsoleFiles | undefined,
): (path: string) => ((call: Call) => Promise<void>) | undefined {
  return (path) => {
    const isView = VIEW.test(path);
    if (files === undefined) return isView ? () => Promise.reject(notBuilt()) : undefined;
    const file = isView ? "/index.html" : path;
    if (!files.has(file)) return undefined;
    return (call) => respondFile(files, file, call);
  };
}

async function respondFile(
  files: ConsoleFiles,
  path: string,
  { request, response, refusal }: Call,
): Promise<void> {
  if (refusal !== undefined) throw new Refusal("ORIGIN_NOT_ALLOWED", refusal.message);
  allowMethods(request, ["GET", "HEAD"]);
  const encoding = ENCODINGS.find(
    ({ name, suffix }) => accepts(request, name) && files.has(path + suffix),
  );
  const body = files.get(path + (encoding?.suffix ?? ""))!;
  await leaveUnread(request, response);
  response.writeHead(200, {
    ...HEADERS,
    "content-type": MEDIA_TYPES[extname(path)] ?? "application/octet-stream",
    "content-length": String(body.length),
    ...(encoding && { "content-encoding": encoding.name }),
    vary: "origin, accept-encoding",
    "cache-control": NAMED_BY_CONTENT.test(path)
      ? "public, max-age=31536000, immutable"
      : "no-cache",
  });
  if (request.method === "HEAD") response.end();
  else response.end(body);
}

function accepts({ headers }: HttpRequest, encoding: string): boolean {
  const accepted = String(headers["accept-encoding"] ?? "").split(",");
  return accepted.some((part) => part.trim().split(";", 1)[0] === encoding);
}

function notBuilt(): Problem {
  return new Problem(
    503,
    "the console has not been built: npm run build, and start the server again",
  );
}

/** Where the package is, which lies above this file wherever that was compiled to. */
function packageFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    try {
      readFileSync(join(folder, "package.json"));
      return folder;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}
