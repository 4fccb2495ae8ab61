import Negotiator from "negotiator";
import type { HttpRequest } from "../edge/http.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import { Refusal } from "../errors.ts";
import type { Call } from "../rpc/request-listener.ts";
import { allowMethods } from "./allow-methods.ts";
import { BuiltConsole, type ConsoleFile, IDENTITY, type Representation } from "./console-files.ts";
import { Problem } from "./problem.ts";

/** Paths of the page's views; all of them are the same document, which reads its address. */
const VIEW = /^\/(?:(?:turns|sessions)\/[\w-]+)?$/;
const DOCUMENT = "/index.html";
/** A method of a service, whose name has a dot in it: what is no method there is said in the words of RPC. */
const METHOD = /^\/[\w]+(?:\.[\w]+)+\/\w+$/;
/** A validator in `If-None-Match`. */
const VALIDATOR = /(?:W\/)?("[^"]*")/g;

/** The page may load from here alone, runs no text as a program, and stands in no other page. */
const POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "font-src", "connect-src", "manifest-src", "worker-src"].map(
    (what) => `${what} 'self'`,
  ),
  "img-src 'self' data: blob:",
  ...["base-uri", "form-action", "frame-ancestors"].map((what) => `${what} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types svelte-trusted-html dompurify breakglass-worker",
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

type Answer = (call: Call) => Promise<void>;

/** As it is since 1.0; its types are older. */
interface PreferringNegotiator {
  /** @param preferred - What comes first of what the client likes alike. */
  encodings(available: string[], options: { readonly preferred: string[] }): string[];
}

/**
 * What answers with the page and its files. Whoever reaches the server by its own name gets them: they say nothing of it, and who asks for them
 * is no caller for that.
 *
 * @returns Answers a request for a path; undefined: it is a call of RPC.
 */
export function consoleAnswers(
  built = new BuiltConsole(),
): (path: string, request: HttpRequest) => Answer | undefined {
  return (path, request) => {
    const isView = VIEW.test(path);
    const file = built.files()?.get(isView ? DOCUMENT : path);
    if (file !== undefined) return (call) => respondFile(file, call);
    if (isView) return refusing(() => notBuilt());
    if (METHOD.test(path) || !["GET", "HEAD"].includes(request.method ?? "")) return undefined;
    return refusing(
      () =>
        new Problem(
          404,
          "nothing is here: the console is at /, and what programs call in /openapi.json",
        ),
    );
  };
}

/** Answers with a problem whoever may ask. */
function refusing(problem: () => Problem): Answer {
  return async (call) => {
    admitPlace(call);
    allowMethods(call.request, ["GET", "HEAD"]);
    throw problem();
  };
}

async function respondFile(file: ConsoleFile, call: Call): Promise<void> {
  const { request, response } = call;
  admitPlace(call);
  allowMethods(request, ["GET", "HEAD"]);
  const { encoding, body, etag } = acceptedOf(file, request);
  await leaveUnread(request, response);
  const headers = {
    ...HEADERS,
    etag,
    vary: "origin, accept-encoding",
    "cache-control": file.isNamedByContent ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (isKnown(request, etag)) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": file.mediaType,
    "content-length": String(body.length),
    ...(encoding && { "content-encoding": encoding }),
  });
  if (request.method === "HEAD") response.end();
  else response.end(body);
}

/** @throws Refusal ORIGIN_NOT_ALLOWED where the request is refused for where it comes from. */
function admitPlace({ refusal }: Call): void {
  if (refusal !== undefined) throw new Refusal("ORIGIN_NOT_ALLOWED", refusal.message);
}

/** The representation that a request likes best; of what it likes alike the smallest. The file as it is where it takes none. */
function acceptedOf({ representations }: ConsoleFile, { headers }: HttpRequest): Representation {
  const there = [...representations.keys()].sort(
    (one, other) => representations.get(one)!.body.length - representations.get(other)!.body.length,
  );
  const accepted = preferring(new Negotiator({ headers })).encodings(there, {
    preferred: there,
  })[0];
  return representations.get(accepted ?? IDENTITY) ?? representations.get(IDENTITY)!;
}

function preferring(negotiator: Negotiator): PreferringNegotiator {
  return negotiator as unknown as PreferringNegotiator;
}

/** Whether who asks has it already (RFC 9110, 13.1.2: validators are compared weakly). */
function isKnown({ headers }: HttpRequest, etag: string): boolean {
  const known = headers["if-none-match"];
  if (known === undefined) return false;
  if (known.trim() === "*") return true;
  return [...known.matchAll(VALIDATOR)].some(([, validator]) => validator === etag);
}

function notBuilt(): Problem {
  return new Problem(
    503,
    "the console has not been built: run `npm run build -w console`; the server takes it up by itself",
    { "retry-after": "5" },
  );
}
