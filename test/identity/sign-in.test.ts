import { describe, expect, it } from "vitest";
import type { Authenticator, Verdict } from "../../src/identity/authenticator.ts";
import { BearerAuthenticator } from "../../src/identity/bearer.ts";
import { ProxyAuthenticator } from "../../src/identity/proxy-users.ts";
import { SignIn } from "../../src/identity/sign-in.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import { presented, principalIn } from "../support/presented.ts";
import { tokenLine } from "../support/test-server.ts";

const bearer = new BearerAuthenticator({
  tokens: () => new Tokens(tokenLine("good", "alice"), "f"),
  jwts: () => undefined,
});
const proxy = new ProxyAuthenticator({
  userHeader: "x-user",
  rolesHeader: "x-roles",
  roles: ["viewer"],
  proxies: new Set(),
});
const UNIX = { address: "unix", network: "unix", isUnix: true };

function signIn(authenticators: readonly Authenticator[]) {
  return new SignIn({ authenticators });
}

describe("signing in", () => {
  it("takes everyone for local only where nothing is set", () => {
    expect(signIn([]).identify(presented())).toMatchObject({ principal: { name: "local" } });
    expect(signIn([bearer]).identify(presented())).toMatchObject({ failure: { means: "none" } });
    expect(signIn([proxy]).identify(presented({}, UNIX))).toMatchObject({
      failure: { means: "none" },
    });
  });

  it("asks in order: what is shown first decides, and what is wrong is not made good by what comes later", () => {
    const both = signIn([bearer, proxy]);
    const user = { "x-user": "bob" };
    const nameOf = (headers: Record<string, string | string[]>) =>
      principalIn(both.identify(presented(headers, UNIX)) as Verdict)?.name;
    expect(nameOf({ authorization: "Bearer good", ...user })).toBe("alice");
    expect(nameOf(user)).toBe("bob");
    expect(nameOf({ authorization: "Bearer wrong", ...user })).toBeUndefined();
    expect(nameOf({ authorization: "Bearer", ...user })).toBeUndefined();
    expect(nameOf({ authorization: ["Bearer good", "Basic x"], ...user })).toBeUndefined();
    // A proxy that looked at a password itself may hand it on.
    expect(nameOf({ authorization: "Basic YTpi", ...user })).toBe("bob");
  });

  it("heeds a proxy's header from this machine's socket alone, roles too", () => {
    const ask = (headers: Record<string, string | string[]>, peer = {}) =>
      principalIn(signIn([proxy]).identify(presented(headers, peer)) as Verdict);
    expect(ask({ "x-user": "bob" }, UNIX)).toEqual({
      name: "bob",
      roles: ["viewer"],
      means: "proxy",
    });
    expect(ask({ "x-user": "bob", "x-roles": "operator,x" }, UNIX)?.roles).toEqual(["operator"]);
    expect(ask({ "x-user": "bob", "x-roles": "" }, UNIX)?.roles).toEqual(["viewer"]);
    expect(ask({ "x-user": "bob", "x-roles": "x" }, UNIX)).toBeUndefined();
    expect(ask({ "x-user": "local" }, UNIX)).toBeUndefined();
    // Who is not known to have come by it did not: an address that is gone is no socket's.
    for (const address of ["127.0.0.1", "::1", "", "unix"]) {
      expect(ask({ "x-user": "bob" }, { address, isUnix: false })).toBeUndefined();
    }
  });

  it("says whom it could never tell", () => {
    expect(signIn([bearer]).knows("alice")).toBe(true);
    expect(signIn([bearer]).knows("bob")).toBe(false);
    expect(signIn([bearer, proxy]).knows("bob")).toBeUndefined();
  });

  it("goes on behind one that had to wait", async () => {
    const slow: Authenticator = { authenticate: async () => undefined, knows: () => false };
    const found = await signIn([slow, bearer]).identify(
      presented({ authorization: "Bearer good" }),
    );
    expect(principalIn(found)?.name).toBe("alice");
  });
});
