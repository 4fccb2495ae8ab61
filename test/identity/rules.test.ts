import { describe, expect, it } from "vitest";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { refuseUnusableIdentity, tellsPeople } from "../../src/identity-rules.ts";

const TLS = { BREAKGLASS_TLS_CERT: "/cert", BREAKGLASS_TLS_KEY: "/key" };
const CA = { ...TLS, BREAKGLASS_CLIENT_CA: "/ca" };
const MAP = { BREAKGLASS_CLIENT_CERTIFICATES_FILE: "/map" };
const PROXY = { BREAKGLASS_PROXY_CERTIFICATES: "cn:proxy,dns:p.example" };
const USER = { BREAKGLASS_PROXY_USER_HEADER: "X-User" };

const config = (settings: Record<string, string>) =>
  readServeConfig({ HOME: "/home/x", ...settings });

describe("settings of who somebody is", () => {
  it.each([
    [{}, false],
    [{ BREAKGLASS_TOKENS_FILE: "/tokens" }, true],
    [{ BREAKGLASS_JWT_ISSUERS_FILE: "/issuers" }, true],
    [{ ...CA, ...MAP }, true],
    [{ ...CA, ...PROXY, ...USER, BREAKGLASS_PROXY_ROLES_HEADER: "X-Roles" }, true],
  ])("can be used: %j", (settings, tells) => {
    refuseUnusableIdentity(config(settings));
    expect(tellsPeople(config(settings))).toBe(tells);
  });

  it.each([
    [{ BREAKGLASS_CLIENT_CA: "/ca", ...MAP }, /^BREAKGLASS_CLIENT_CA .* BREAKGLASS_TLS_CERT/],
    [CA, /^BREAKGLASS_CLIENT_CA .* stand for nobody/],
    [{ ...TLS, ...MAP }, /^BREAKGLASS_CLIENT_CERTIFICATES_FILE .* set BREAKGLASS_CLIENT_CA/],
    [{ ...TLS, ...PROXY, ...USER }, /^BREAKGLASS_PROXY_CERTIFICATES .* set BREAKGLASS_CLIENT_CA/],
    [{ ...CA, ...PROXY }, /^BREAKGLASS_PROXY_CERTIFICATES .* set BREAKGLASS_PROXY_USER_HEADER/],
    [USER, /^BREAKGLASS_PROXY_USER_HEADER .* no proxy would be heeded/],
    [
      { BREAKGLASS_PROXY_ROLES_HEADER: "X-Roles" },
      /^BREAKGLASS_PROXY_ROLES_HEADER .* set BREAKGLASS_PROXY_USER_HEADER/,
    ],
  ])("are refused where one lacks another: %j", (settings, words) => {
    expect(() => refuseUnusableIdentity(config(settings))).toThrow(words);
  });

  it.each([
    ["BREAKGLASS_PROXY_USER_HEADER", "Authorization"],
    ["BREAKGLASS_PROXY_USER_HEADER", "Cookie"],
    ["BREAKGLASS_PROXY_USER_HEADER", "X_User"],
    ["BREAKGLASS_PROXY_USER_HEADER", "X User"],
    ["BREAKGLASS_PROXY_USER_HEADER", ":path"],
    ["BREAKGLASS_PROXY_ROLES", "root"],
    ["BREAKGLASS_PROXY_CERTIFICATES", "proxy.example"],
    ["BREAKGLASS_PROXY_CERTIFICATES", "ip:192.0.2.1"],
  ])("are refused by their names: %s=%s", (name, value) => {
    expect(() => config({ [name]: value })).toThrow(
      `${name} is ${JSON.stringify(value)}, but takes`,
    );
  });
});
