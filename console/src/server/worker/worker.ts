/**
 * The service worker: it opens the page while the server is away, from a copy of the built files.
 *
 * 1. A copy is of one build: each file is checked against its digest, and the document is of the same build as the files.
 * 2. The document comes from the server where that answers: a new build is taken at the next load, with files of its own.
 * 3. It answers for the page's files alone. What the server says by calls is never here.
 * 4. Pages keep the worker of their build until the last of them is closed: none misses a file that it has not loaded yet.
 */

/** The build, which the bundler writes in front of this program. */
declare const CONSOLE_BUILD: {
  readonly version: string;
  readonly files: readonly { readonly path: string; readonly integrity: string }[];
};

interface WorkerEvent extends Event {
  readonly request: Request;
  waitUntil(work: Promise<unknown>): void;
  respondWith(response: Promise<Response>): void;
}

interface WorkerScope {
  readonly location: Location;
  readonly clients: { claim(): Promise<void> };
  addEventListener(
    kind: "install" | "activate" | "fetch",
    take: (event: WorkerEvent) => void,
  ): void;
}

const PREFIX = "breakglass.console ";
const CACHE = PREFIX + CONSOLE_BUILD.version;
const DOCUMENT = "/";
const VIEW = /^\/(?:(?:turns|sessions)\/[\w-]+)?$/;
/** A server that says nothing for so long is away. */
const ANSWER_MS = 5000;

const scope = globalThis as unknown as WorkerScope;
const paths = new Set(CONSOLE_BUILD.files.map(({ path }) => path));

scope.addEventListener("install", (event) => event.waitUntil(fill()));
scope.addEventListener("activate", (event) => {
  event.waitUntil(removeOld().then(() => scope.clients.claim()));
});
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.location.origin) return;
  if (request.mode === "navigate") {
    if (VIEW.test(url.pathname)) event.respondWith(page(request));
  } else if (paths.has(url.pathname) && url.search === "") event.respondWith(file(request)); // 3.
});

async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  const load = async ({ path, integrity }: (typeof CONSOLE_BUILD.files)[number]) => {
    const response = await fetch(path, { integrity, cache: "no-cache", redirect: "error" }); // 1.
    if (!response.ok) throw new Error(`${path} is not there: ${response.status}`);
    await cache.put(path, response);
  };
  await Promise.all(CONSOLE_BUILD.files.map(load));
}

async function removeOld(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** What the server has; what is here where it is away, or where something before it says so. */
async function page(request: Request): Promise<Response> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, ANSWER_MS, undefined));
  const answer = fetch(request);
  const response = await Promise.race([answer, late]).catch(() => undefined);
  if (response !== undefined && response.status < 500) return response; // 2.
  return (await copyOf(DOCUMENT)) ?? response ?? answer;
}

async function file(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  return (await copyOf(pathname)) ?? fetch(request);
}

/** Undefined: there is none, or the browser's storage fails. */
function copyOf(path: string): Promise<Response | undefined> {
  return caches.match(path, { cacheName: CACHE }).catch(() => undefined);
}
