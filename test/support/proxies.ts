import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./processes.ts";

/** The name by which clients call the proxies of `deploy/`. */
export const PROXY_HOST = "ops.example.com";

const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));

/** A real proxy in front of a server. */
export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
}

/** What a test's proxy has of its own. */
export interface ProxyFiles {
  /** PEM files: certificate, key, and both in one. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
}

/** How a proxy is configured: what stands in its file in place of what. */
type Changes = readonly (readonly [from: string | RegExp, to: string])[];

/** nginx as `deploy/nginx.conf` has it. */
export async function startNginx(url: string, files: ProxyFiles, more: Changes = []) {
  const config = await readFile(join(DEPLOY, "nginx.conf"), "utf8");
  const port = await freePort();
  const server = changed(config, [
    [/listen 443 /, `listen 127.0.0.1:${port} `],
    ["/etc/breakglass/tls-cert.pem", files.cert],
    ["/etc/breakglass/tls-key.pem", files.key],
    ["127.0.0.1:7433", new URL(url).host],
    ...more,
  ]);
  return runNginx(server, port);
}

/** nginx with nothing but `proxy_pass`. */
export async function startBareNginx(url: string) {
  const port = await freePort();
  return runNginx(`server { listen 127.0.0.1:${port}; location / { proxy_pass ${url}; } }`, port);
}

/** HAProxy as `deploy/haproxy.cfg` has it. */
export async function startHaproxy(url: string, files: ProxyFiles, more: Changes = []) {
  const config = await readFile(join(DEPLOY, "haproxy.cfg"), "utf8");
  const port = await freePort();
  const text = changed(config, [
    ["bind :443 ", `bind 127.0.0.1:${port} `],
    ["/etc/breakglass/tls.pem", files.both],
    ["127.0.0.1:7433", new URL(url).host],
    ...more,
  ]);
  return run("haproxy", port, async (prefix) => {
    const path = join(prefix, "haproxy.cfg");
    await writeFile(path, text);
    return ["-db", "-f", path];
  });
}

/** One process, whose files are all below its prefix. */
function runNginx(server: string, port: number): Promise<RunningProxy> {
  return run("nginx", port, async (prefix) => {
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((name) => `${name}_temp_path ${prefix}/${name};`)
      .join("\n");
    const text = `daemon off; master_process off; pid ${prefix}/pid; error_log stderr;
      events { worker_connections 512; }
      http { access_log off; ${temp}\n${server}\n}`;
    await writeFile(join(prefix, "nginx.conf"), text);
    return ["-e", "stderr", "-p", prefix, "-c", "nginx.conf"];
  });
}

async function run(
  program: string,
  port: number,
  prepare: (prefix: string) => Promise<string[]>,
): Promise<RunningProxy> {
  await using cleanup = new AsyncDisposableStack();
  const prefix = await mkdtemp(join(tmpdir(), "breakglass-proxy-"));
  cleanup.defer(() => rm(prefix, { recursive: true, force: true }));
  const child = spawn(program, await prepare(prefix), { stdio: ["ignore", "ignore", "pipe"] });
  cleanup.defer(() => end(child));
  let said = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  const isUp = () => child.exitCode !== null || accepts(port);
  await eventually(isUp, (up) => up);
  if (!(await accepts(port))) throw new Error(`${program} did not come up: ${said}`);
  const owned = cleanup.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function changed(text: string, changes: Changes): string {
  return changes.reduce((so, [from, to]) => {
    const next = typeof from === "string" ? so.replaceAll(from, to) : so.replace(from, to);
    if (next === so) throw new Error(`the configuration has no ${from}`);
    return next;
  }, text);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
      .once("connect", () => resolve(true))
      .once("error", () => resolve(false))
      .once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
