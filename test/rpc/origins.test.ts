import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hosts, isLoopback, ownHosts } from "../../src/rpc/hosts.ts";
import { Origins } from "../../src/rpc/origins.ts";

const ORIGIN = "https://ops.example";
const hosts = new Hosts("127.0.0.1", 7433, ["Proxy.Example", "Gate.Example:8443"]);
const origins = new Origins("http", hosts, [ORIGIN]);
const asked = (host: string | undefined, origin: string | null = null) =>
  origins.refusalOf({ host, origin }) === undefined;

describe("Origins", () => {
  it("let pages that may call the server say which trace they are in, and no others", () => {
    const allowed = (origin: string) =>
      origins.corsHeaders({ host: "127.0.0.1:7433", origin }, true)["access-control-allow-headers"];
    expect(allowed(ORIGIN)?.toLowerCase().split(", ")).toEqual(
      expect.arrayContaining(["traceparent", "tracestate"]),
    );
    expect(allowed("https://evil.example")).toBeUndefined();
  });

  it.each([
    "127.0.0.1:7433",
    "localhost:7433",
    "LOCALHOST:7433",
    "[::1]:7433",
    // Through a tunnel, which has a port of its own.
    "localhost:9000",
    "localhost",
    "127.0.0.1:9000",
    "127.0.0.2:80",
    "127.0.0.1",
    "[::1]:9000",
    // Named without a port: with any.
    "proxy.example",
    "proxy.example:443",
    "Proxy.Example:9000",
    "gate.example:8443",
  ])("let clients call the server %s", (host) => {
    expect(asked(host)).toBe(true);
  });

  it.each([
    undefined,
    "",
    "localhost.:7433",
    "gate.example",
    "gate.example:8444",
    "proxy.example.evil.example",
    "proxy.example:x",
    "proxy.example:443:443",
    "128.0.0.1:7433",
    "[::2]:7433",
    "localhost:port",
    "localhost:7433.evil.example",
    "evil.example:7433",
    "127.0.0.1:7433, evil.example",
    "2130706433:7433",
  ])("do not let anyone call it %j", (host) => {
    expect(asked(host)).toBe(false);
  });

  it.each([
    [ORIGIN, true],
    ["http://127.0.0.1:7433", true],
    ["https://ops.example:443", false],
    ["https://OPS.example", false],
    ["http://ops.example", false],
    ["https://ops.example.evil.example", false],
    ["http://localhost:7433", false],
    ["http://127.0.0.1:7433@evil.example", false],
    ["null", false],
    ["", false],
  ])("of a page %j is let in: %s", (origin, isLet) => {
    expect(asked("127.0.0.1:7433", origin)).toBe(isLet);
  });

  it("let no other origin in, whatever it looks like", () => {
    const others = fc.webUrl().map((url) => new URL(url).origin);
    fc.assert(
      fc.property(others, (origin) => {
        fc.pre(origin !== ORIGIN && origin !== "http://127.0.0.1:7433");
        expect(asked("127.0.0.1:7433", origin)).toBe(false);
        expect(origins.corsHeaders({ host: "127.0.0.1:7433", origin }, true)).toEqual({
          vary: "origin",
        });
      }),
    );
  });
});

describe("a server's own page", () => {
  const host = "ops.example";

  it.each(["http", "https"] as const)("is of the scheme that the server serves: %s", (scheme) => {
    const own = new Origins(scheme, new Hosts(host, 443, []), []);
    const other = scheme === "http" ? "https" : "http";
    expect(own.refusalOf({ host, origin: `${scheme}://${host}` })).toBeUndefined();
    expect(own.refusalOf({ host, origin: `${other}://${host}` })?.message).toBe(
      `the origin "${other}://${host}" is not this server's own, which is "${scheme}://${host}": where a proxy ends TLS in front of it, name the page's origin in BREAKGLASS_ALLOWED_ORIGINS`,
    );
    expect(own.corsHeaders({ host, origin: `${other}://${host}` }, true)).toEqual({
      vary: "origin",
    });
  });

  it("behind a proxy that ends TLS is one that is named", () => {
    const origins = new Origins("http", new Hosts(host, 80, []), [`https://${host}`]);
    expect(origins.refusalOf({ host, origin: `https://${host}` })).toBeUndefined();
  });
});

describe("Hosts", () => {
  const canBeCalled = (listen: string, host: string) => new Hosts(listen, 7433, []).has(host);

  it.each(["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"])(
    "of a server on %s are those of a tunnel too",
    (listen) => {
      expect(canBeCalled(listen, "localhost:9000")).toBe(true);
      expect(canBeCalled(listen, "127.0.0.1:9000")).toBe(true);
    },
  );

  it.each(["10.0.0.1", "ops.example", "2001:db8::1"])(
    "of a server on %s, which is not on loopback, are not",
    (listen) => {
      expect(canBeCalled(listen, "localhost:7433")).toBe(false);
      expect(canBeCalled(listen, "127.0.0.1:9000")).toBe(false);
    },
  );
});

describe("ownHosts", () => {
  it("leave a scheme's own port out too", () => {
    expect(ownHosts("ops.example", 443)).toEqual(["ops.example", "ops.example:443"]);
    expect(ownHosts("::1", 7433)).toContain("[::1]:7433");
  });

  it("are all of the machine's where it listens on all of them", () => {
    expect(ownHosts("0.0.0.0", 7433)).toContain("127.0.0.1:7433");
    expect(ownHosts("0.0.0.0", 7433)).not.toContain("0.0.0.0:7433");
  });
});

describe("isLoopback", () => {
  it.each(["localhost", "127.0.0.1", "127.9.9.9", "::1"])("is %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.0.0.1.example", "localhost.example"])(
    "is not %s",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
