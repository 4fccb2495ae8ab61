import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { CONSOLE, haveConsole } from "../support/built-console.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { type AskPage, overHttp1, overHttp2, type Page } from "./console-requests.ts";

const cleanup = new AsyncDisposableStack();
let server: TestServer;
let secure: TestServer;
let local: TestServer;
/** A script of the page that is compressed. */
let script: string;
let document: Buffer;
beforeAll(async () => {
  haveConsole();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-console-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  server = cleanup.use(await startTestServer());
  secure = cleanup.use(await startTestServer(makeCertificate(folder)));
  local = cleanup.use(await startTestServer({ BREAKGLASS_LISTEN: `unix:${join(folder, "s")}` }));
  document = await readFile(join(CONSOLE, "index.html"));
  script = /src="(\/assets\/[^"]+\.js)"/.exec(document.toString())?.[1] ?? "";
});
afterAll(() => cleanup.disposeAsync());

const WAYS: readonly (readonly [string, AskPage, () => TestServer])[] = [
  ["HTTP/1.1", overHttp1, () => server],
  ["HTTP/2", overHttp2, () => server],
  ["HTTP/1.1 over TLS", overHttp1, () => secure],
  ["HTTP/2 over TLS", overHttp2, () => secure],
  ["a socket in the file system", overHttp1, () => local],
];
const decoded = ({ headers, body }: Page): Buffer => {
  if (headers["content-encoding"] === "br") return brotliDecompressSync(body);
  return headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
};

describe.each(WAYS)("the console over %s", (_way, ask, serverOf) => {
  it("is the same document at every address of a view, whatever its query", async () => {
    const id = "0191d1f0-0000-4000-8000-000000000003";
    for (const path of ["/", "/?state=running", `/turns/${id}`, `/sessions/${id}?principal=a`]) {
      const page = await ask(serverOf().url, path);
      expect(page, path).toMatchObject({
        status: 200,
        headers: {
          "content-type": "text/html; charset=utf-8",
          "content-length": String(document.length),
          "cache-control": "no-cache",
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
          "referrer-policy": "no-referrer",
        },
      });
      expect(page.body.equals(document)).toBe(true);
      expect(page.headers["set-cookie"]).toBeUndefined();
    }
  });

  it("has its files for good where they are named by their content", async () => {
    const { status, headers, body } = await ask(serverOf().url, script);
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
    expect(headers["content-length"]).toBe(String(body.length));
    expect(body.equals(await readFile(join(CONSOLE, script)))).toBe(true);
  });

  it.each([
    ["gzip, deflate, br, zstd", "br"],
    ["br;q=0.5, gzip;q=0.9", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["*", "br"],
    ["identity, br;q=0.1", undefined],
    ["", undefined],
    ["br;q=0, gzip;q=0, identity;q=0", undefined],
    ["zstd", undefined],
  ])("is encoded for who accepts %j as %s", async (accepted, encoding) => {
    const page = await ask(serverOf().url, script, { "accept-encoding": accepted });
    expect(page.headers["content-encoding"]).toBe(encoding);
    expect(page.headers["content-length"]).toBe(String(page.body.length));
    expect(String(page.headers.vary)).toMatch(/accept-encoding/);
    expect(decoded(page).equals(await readFile(join(CONSOLE, script)))).toBe(true);
  });

  it("is not sent again to who has it, in the encoding that they have it in", async () => {
    for (const accepted of ["br", "gzip", "identity"]) {
      const headers = { "accept-encoding": accepted };
      const first = await ask(serverOf().url, "/", headers);
      const etag = String(first.headers.etag);
      for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const again = await ask(serverOf().url, "/", { ...headers, "if-none-match": known });
        expect([again.status, again.body.length, again.headers.etag]).toEqual([304, 0, etag]);
        expect(again.headers["cache-control"]).toBe("no-cache");
      }
      const other = await ask(serverOf().url, "/", { ...headers, "if-none-match": '"other"' });
      expect(other.status).toBe(200);
    }
    const one = await ask(serverOf().url, script, { "accept-encoding": "br" });
    const known = { "accept-encoding": "gzip", "if-none-match": String(one.headers.etag) };
    expect((await ask(serverOf().url, script, known)).status).toBe(200);
  });

  it("answers HEAD with what GET would say, and no body", async () => {
    const headers = { "accept-encoding": "br" };
    const told = (await ask(serverOf().url, script, headers)).headers["content-length"];
    const head = await ask(serverOf().url, script, headers, "HEAD");
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, told, 0]);
  });

  it("takes no other method, and has nothing where nothing is", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const { status, headers, body } = await ask(serverOf().url, "/", {}, method);
      expect([status, headers.allow]).toEqual([405, "GET, HEAD, OPTIONS"]);
      expect(JSON.parse(body.toString())).toMatchObject({ status: 405, type: "about:blank" });
    }
    for (const path of ["/nothing", "/assets/", "/assets/nothing.js", "/turns/", "/turns/a/b"]) {
      const { status, headers, body } = await ask(serverOf().url, path);
      expect([path, status, headers["content-type"]]).toEqual([
        path,
        404,
        "application/problem+json",
      ]);
      expect(JSON.parse(body.toString())).toMatchObject({ status: 404 });
    }
  });
});

describe("the console's policy", () => {
  it("lets the page load from here alone, and run no text as a program", async () => {
    const { headers } = await overHttp1(server.url, "/");
    const policy = new Map(
      String(headers["content-security-policy"])
        .split("; ")
        .map((directive) => directive.split(/ (.*)/s, 2) as [string, string]),
    );
    expect(policy.get("default-src")).toBe("'none'");
    expect(policy.get("frame-ancestors")).toBe("'none'");
    expect(policy.get("require-trusted-types-for")).toBe("'script'");
    for (const name of ["script-src", "style-src", "connect-src", "worker-src"])
      expect(policy.get(name)).toBe("'self'");
    expect(String(headers["content-security-policy"])).not.toMatch(/unsafe|http|\*/);
  });

  it("is on every file that a browser may show", async () => {
    for (const path of [script, "/icon.svg"]) {
      const { headers } = await overHttp1(server.url, path);
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    }
  });
});

describe("a console that is not built", () => {
  it("is looked for until it is there, and then is what it was", async () => {
    const { BuiltConsole } = await import("../../src/http/console-files.ts");
    const folder = await mkdtemp(join(tmpdir(), "breakglass-console-"));
    try {
      expect(new BuiltConsole(join(folder, "nothing")).files()).toBeUndefined();
      await writeFile(join(folder, "index.html"), "one");
      const built = new BuiltConsole(folder);
      await writeFile(join(folder, "index.html"), "two");
      const file = built.files()!.get("/index.html")!;
      expect(file.representations.get("identity")!.body.toString()).toBe("one");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
