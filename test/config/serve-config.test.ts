import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/config-error.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";

describe("readServeConfig", () => {
  it("needs nothing", () => {
    expect(readServeConfig({ HOME: "/home/op" })).toMatchObject({
      listen: { host: "127.0.0.1", port: 7433 },
      tls: undefined,
      dataDir: "/home/op/.local/state/breakglass",
      sessionsDir: "/home/op/.local/state/breakglass/sessions",
      agentCommand: undefined,
      agent: "breakglass",
      model: undefined,
      agentEnv: [],
      turnTimeoutMs: 1_800_000,
      idleTimeoutMs: 900_000,
      maxConcurrentTurns: 16,
      maxPromptBytes: 2_097_152,
      allowedOrigins: [],
      tokensFile: undefined,
    });
  });

  it("takes an empty value for an unset one", () => {
    const empty = Object.fromEntries(ALL_SETTINGS.map(({ variable }) => [variable, ""]));
    const { environment: _, ...unset } = readServeConfig({ HOME: "/home/op" });
    expect(readServeConfig({ HOME: "/home/op", ...empty })).toMatchObject(unset);
  });

  const isRoot = process.getuid?.() === 0;
  const why = isRoot ? "" : " (left out: to become such a user takes root)";
  it.skipIf(!isRoot)(
    `says what a user that is nothing but a number, without a home, has to set${why}`,
    () => {
      const config = new URL("../../src/config/serve-config.ts", import.meta.url).href;
      const script = `const { readServeConfig } = await import(${JSON.stringify(config)});
        process.setgroups([]); process.setgid(54321); process.setuid(54321);
        try { console.log(readServeConfig().dataDir) } catch (error) { console.log(String(error)) }`;
      const reads = (env: Record<string, string>) =>
        execFileSync(process.execPath, ["--input-type=module", "-e", script], {
          env,
          encoding: "utf8",
        }).trim();
      const refused =
        "ConfigError: HOME is not set, and the server's user has no home directory: set it to a directory of that user's";
      expect(reads({})).toBe(refused);
      // Each of its turns would look for it.
      expect(reads({ BREAKGLASS_DATA_DIR: "/data" })).toBe(refused);
      expect(reads({ BREAKGLASS_DATA_DIR: "/data", CLAUDE_CONFIG_DIR: "/cli" })).toBe("/data");
      expect(reads({ BREAKGLASS_DATA_DIR: "/data", HOME: "/data" })).toBe("/data");
    },
  );

  it.each([
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:443", { host: "::1", port: 443 }],
    ["localhost:65535", { host: "localhost", port: 65_535 }],
  ])("listens on %s", (BREAKGLASS_LISTEN, listen) => {
    expect(readServeConfig({ BREAKGLASS_LISTEN }).listen).toEqual(listen);
  });

  it("heeds XDG_STATE_HOME where it is absolute, as its specification says", () => {
    expect(readServeConfig({ XDG_STATE_HOME: "/state" }).dataDir).toBe("/state/breakglass");
    expect(readServeConfig({ XDG_STATE_HOME: "state", HOME: "/h" }).dataDir).toBe(
      "/h/.local/state/breakglass",
    );
  });

  it("splits lists, and hosts are compared in lower case", () => {
    const config = readServeConfig({
      BREAKGLASS_AGENT_ENV: "KUBECONFIG, AWS_PROFILE,",
      BREAKGLASS_ALLOWED_ORIGINS: "https://a.example,http://b.example:8080",
      BREAKGLASS_ALLOWED_HOSTS: "Ops.Example:7433",
    });
    expect(config.agentEnv).toEqual(["KUBECONFIG", "AWS_PROFILE"]);
    expect(config.allowedOrigins).toEqual(["https://a.example", "http://b.example:8080"]);
    expect(config.allowedHosts).toEqual(["ops.example:7433"]);
  });

  it.each([
    ["BREAKGLASS_LISTEN", ["7433", "localhost", "127.0.0.1:65536", "::1:80", "http://x:1"]],
    ["BREAKGLASS_AGENT", ["-p", "a b", "a\n"]],
    ["BREAKGLASS_MODEL", ["--mcp-config=x", "m".repeat(257)]],
    ["BREAKGLASS_AGENT_ENV", ["A=b", "1A", "A;B"]],
    ["BREAKGLASS_AGENT_COMMAND", ["a\0b"]],
    ["BREAKGLASS_TURN_TIMEOUT_SECONDS", ["0", "-1", "1.5", "1e3", "604801", "ten", " 1", "0x10"]],
    ["BREAKGLASS_IDLE_TIMEOUT_SECONDS", ["0", "604801"]],
    ["BREAKGLASS_MAX_CONCURRENT_TURNS", ["0", "100001"]],
    ["BREAKGLASS_MAX_PROMPT_BYTES", ["0", "8388609"]],
    ["BREAKGLASS_MAX_LINE_BYTES", ["1", "268435457"]],
    ["BREAKGLASS_MAX_EVENT_BYTES", ["1", "3145729"]],
    ["BREAKGLASS_MAX_TURN_BYTES", ["1"]],
    ["BREAKGLASS_MAX_SUBSCRIPTIONS", ["0"]],
    [
      "BREAKGLASS_ALLOWED_ORIGINS",
      ["*", "null", "ops.example", "https://ops.example/", "https://ops.example/x", "https://a,x"],
    ],
    ["BREAKGLASS_ALLOWED_HOSTS", ["http://a", "a/b", "a@b"]],
    ["BREAKGLASS_DATA_DIR", ["a\0b"]],
  ] as const)("stops at a bad %s with one line: name, value, what it takes", (variable, values) => {
    for (const value of values) {
      const read = () => readServeConfig({ [variable]: value });
      expect(read, value).toThrow(ConfigError);
      const { kind } = ALL_SETTINGS.find((setting) => setting.variable === variable)!;
      const line = `${variable} is ${JSON.stringify(value)}, but takes ${kind.takes}`;
      expect(read, value).toThrow(new ConfigError(line));
      expect(line).not.toContain("\n");
    }
  });

  it.each([
    ["BREAKGLASS_TLS_CERT", "BREAKGLASS_TLS_KEY"],
    ["BREAKGLASS_TLS_KEY", "BREAKGLASS_TLS_CERT"],
  ])("stops where %s is set without %s", (set, missing) => {
    expect(() => readServeConfig({ [set]: "/tls.pem" })).toThrow(
      new RegExp(`^${missing} is not set, but TLS takes both`),
    );
  });

  it("tells everything that is wrong at once, a line each", () => {
    const read = () =>
      readServeConfig({
        BREAKGLASS_LISTEN: "nowhere",
        BREAKGLASS_TLS_KEY: "/key.pem",
        BREAKGLASS_PERMISION_MODE: "ask",
        BREAKGLASS_MAX_CONNECTIONS: "0",
      });
    expect(read).toThrow(
      expect.objectContaining({
        problems: [
          "BREAKGLASS_PERMISION_MODE is not a setting: did you mean BREAKGLASS_PERMISSION_MODE?",
          'BREAKGLASS_LISTEN is "nowhere", but takes HOST:PORT, such as 127.0.0.1:7433, or unix:/PATH with at most 107 bytes of path',
          'BREAKGLASS_MAX_CONNECTIONS is "0", but takes a whole number from 1 to 1000000',
          "BREAKGLASS_TLS_CERT is not set, but TLS takes both BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY",
        ],
      }),
    );
  });

  it("does not mind what the commands read, and does not read it", () => {
    expect(() =>
      readServeConfig({ HOME: "/h", BREAKGLASS_URL: "nowhere", BREAKGLASS_TOKEN: "a b" }),
    ).not.toThrow();
  });
});
