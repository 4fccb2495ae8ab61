import { createHash } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BuiltConsole, IDENTITY } from "../../src/http/console-files.ts";
import { CONSOLE } from "../support/built-console.ts";

/** A proxy in front of a server, behind which a new version of it can come to stand: the same, with another build of the page. */
export interface BuildProxy extends AsyncDisposable {
  readonly url: string;
  /** Its name in `BREAKGLASS_ALLOWED_HOSTS`. */
  readonly host: string;
  forwardTo(url: string): void;
  /** The files of the page are those of the other build from now on, and no others are there. */
  update(): void;
}

/** Of no build is a file of this name part of the other one: `index-abc.js` is `index-abc2.js` there. */
const ASSET = /(?<=\/assets\/|assets\/|\.\/)([\w.-]+?)\.(js|css)\b/g;

/** Starts one on loopback. */
export async function startBuildProxy(): Promise<BuildProxy> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-build-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  await writeOtherBuild(folder);
  const other = new BuiltConsole(folder).files()!;
  let target: URL | undefined;
  let isUpdated = false;
  const server = createServer((incoming, response) => {
    const { pathname } = new URL(incoming.url ?? "/", "http://x");
    const isView = /^\/(?:(?:turns|sessions)\/[\w-]+)?$/.test(pathname);
    const file = isUpdated ? other.get(isView ? "/index.html" : pathname) : undefined;
    if (file !== undefined) {
      const type = { "content-type": file.mediaType, "cache-control": "no-cache" };
      response.writeHead(200, type).end(file.representations.get(IDENTITY)!.body);
    } else if (isUpdated && /^\/(?:assets\/|worker)/.test(pathname)) response.writeHead(404).end();
    else forward(incoming, response, target!);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.defer(async () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const owned = cleanup.move();
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    forwardTo: (url) => {
      target = new URL(url);
    },
    update: () => {
      isUpdated = true;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function forward(incoming: IncomingMessage, response: ServerResponse, { hostname, port }: URL) {
  const { url: path, method, headers } = incoming;
  const asked = request({ hostname, port, path, method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.pipe(response).on("error", () => {});
    answer.on("error", () => response.destroy());
  });
  asked.on("error", () => response.destroy());
  response.on("close", () => asked.destroy());
  incoming.pipe(asked);
}

/** Writes what another version's build would be: each file of a name of its own, and the worker that knows them. */
async function writeOtherBuild(folder: string): Promise<void> {
  await cp(CONSOLE, folder, { recursive: true, filter: (path) => !/\.(?:br|gz)$/.test(path) });
  const assets = join(folder, "assets");
  for (const name of await readdir(assets)) {
    await rename(join(assets, name), join(assets, name.replace(/\.(js|css)$/, "2.$1")));
  }
  const names = await readdir(folder, { recursive: true });
  const listed: { path: string; integrity: string }[] = [];
  const worker = join(folder, "worker.js");
  for (const name of names.sort()) {
    const path = join(folder, name);
    if (!/\.(?:js|css|html)$/.test(name)) continue;
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(ASSET, "$12.$2"));
    if (path === worker) continue;
    const digest = createHash("sha256")
      .update(await readFile(path))
      .digest("base64");
    listed.push({ path: name === "index.html" ? "/" : `/${name}`, integrity: `sha256-${digest}` });
  }
  const program = (await readFile(worker, "utf8")).replace(/^const CONSOLE_BUILD = .*\n/, "");
  const build = `const CONSOLE_BUILD = ${JSON.stringify({ version: "other", files: listed })};\n`;
  await writeFile(worker, build + program);
}
