import { describe, expect, it } from "vitest";
import { readClientConfig } from "../../src/config/client-config.ts";

describe("readClientConfig", () => {
  it("prefers the command line to the environment to the default", () => {
    const environment = { BREAKGLASS_URL: "https://ops.example", BREAKGLASS_TOKEN: "t0ken" };
    expect(readClientConfig("http://other:1", environment).url).toBe("http://other:1");
    expect(readClientConfig(undefined, environment)).toEqual({
      url: "https://ops.example",
      token: "t0ken",
      dataDir: expect.any(String),
    });
    expect(readClientConfig(undefined, {})).toEqual({
      url: "http://127.0.0.1:7433",
      token: undefined,
      dataDir: expect.any(String),
    });
  });

  it("looks for a server's own token where that server is told to have its data", () => {
    const found = (environment: Record<string, string>) =>
      readClientConfig(undefined, environment).dataDir;
    expect(found({ HOME: "/home/a" })).toBe("/home/a/.local/state/breakglass");
    expect(found({ HOME: "/home/a", XDG_STATE_HOME: "/state" })).toBe("/state/breakglass");
    expect(found({ HOME: "/home/a", BREAKGLASS_DATA_DIR: "/data" })).toBe("/data");
  });

  it.each(["ops.example", "ftp://ops.example", "/path"])(
    "refuses %s as a URL, and says where it was given",
    (url) => {
      const what = `is ${JSON.stringify(url)}, but takes an http or https URL`;
      expect(() => readClientConfig(url, {})).toThrow(`--url ${what}`);
      expect(() => readClientConfig(undefined, { BREAKGLASS_URL: url })).toThrow(
        `BREAKGLASS_URL ${what}`,
      );
    },
  );

  it("heeds no variable that the command line wins over", () => {
    expect(readClientConfig("http://other:1", { BREAKGLASS_URL: "nowhere" }).url).toBe(
      "http://other:1",
    );
  });

  it("never prints a token that it refuses", () => {
    const read = () => readClientConfig(undefined, { BREAKGLASS_TOKEN: "se cret" });
    expect(read).toThrow(
      /^BREAKGLASS_TOKEN is not usable, but takes printable ASCII without spaces$/,
    );
  });

  it("refuses a variable that is not known: it may have been meant to name the server", () => {
    expect(() => readClientConfig(undefined, { BREAKGLASS_ULR: "https://ops.example" })).toThrow(
      /^BREAKGLASS_ULR is not a setting: did you mean BREAKGLASS_URL\?$/,
    );
  });

  it("does not mind what serve reads, and does not read it", () => {
    expect(() => readClientConfig(undefined, { BREAKGLASS_MAX_CONNECTIONS: "0" })).not.toThrow();
  });
});
