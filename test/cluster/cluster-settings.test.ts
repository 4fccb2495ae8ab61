import { describe, expect, it } from "vitest";
import { clusterSettingsOf } from "../../src/cluster/cluster-settings.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";

type Variables = Readonly<Record<string, string>>;

const LISTEN = { BREAKGLASS_CLUSTER_LISTEN: "127.0.0.1:7434" };
const SECRET = { BREAKGLASS_CLUSTER_SECRET_FILE: "/secret" };
const PEM = {
  BREAKGLASS_CLUSTER_CERT_FILE: "/cert.pem",
  BREAKGLASS_CLUSTER_KEY_FILE: "/key.pem",
  BREAKGLASS_CLUSTER_CA_FILE: "/ca.pem",
};

function settingsOf(variables: Variables) {
  const store = { BREAKGLASS_STORE: "postgres://breakglass@127.0.0.1/breakglass" };
  return clusterSettingsOf(readServeConfig({ HOME: "/home/one", ...store, ...variables }));
}

function problemsOf(variables: Variables): string[] {
  try {
    settingsOf(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
  }
  throw new Error("nothing was wrong with them");
}

describe("what is set about other replicas", () => {
  it("is nothing where nothing is set", () => {
    expect(settingsOf({})).toBeUndefined();
  });

  it("is what the others reach it by, too: where it listens, unless that is said", () => {
    expect(settingsOf({ ...LISTEN, ...SECRET })).toMatchObject({ address: "127.0.0.1:7434" });
    const anywhere = { BREAKGLASS_CLUSTER_LISTEN: "[::]:7434", ...PEM };
    const address = { BREAKGLASS_CLUSTER_ADDRESS: "[fd00::7]:7434" };
    expect(settingsOf({ ...anywhere, ...address })).toMatchObject({ address: "[fd00::7]:7434" });
  });

  it.each<[string, Variables, RegExp[]]>([
    [
      "a secret without a port",
      SECRET,
      [/^BREAKGLASS_CLUSTER_SECRET_FILE is set, but .*CLUSTER_LISTEN$/],
    ],
    ["certificates without a port", PEM, [/CERT_FILE is set/, /KEY_FILE is set/, /CA_FILE is set/]],
    ["nothing that tells who is a replica", LISTEN, [/but nothing tells who is a replica/]],
    [
      "half of certificates",
      { ...LISTEN, BREAKGLASS_CLUSTER_CERT_FILE: "/c" },
      [/KEY_FILE and .*CA_FILE are not set/],
    ],
    [
      "both",
      { ...LISTEN, ...PEM, ...SECRET },
      [/SECRET_FILE is set beside BREAKGLASS_CLUSTER_CERT_FILE/],
    ],
    [
      "a secret that others could meet",
      { BREAKGLASS_CLUSTER_LISTEN: "10.0.0.7:7434", ...SECRET },
      [/is for replicas on one machine/],
    ],
    [
      "an address that says nothing",
      { BREAKGLASS_CLUSTER_LISTEN: "0.0.0.0:7434", ...PEM },
      [/set BREAKGLASS_CLUSTER_ADDRESS$/],
    ],
    [
      "an address that nobody reaches",
      { ...LISTEN, ...PEM, BREAKGLASS_CLUSTER_ADDRESS: "0.0.0.0:7434" },
      [/which nobody can reach/],
    ],
    [
      "names without certificates",
      { ...LISTEN, ...SECRET, BREAKGLASS_CLUSTER_PEERS: "cn:x" },
      [/CLUSTER_PEERS is set/],
    ],
    [
      "a store that one server has alone",
      { ...LISTEN, ...SECRET, BREAKGLASS_STORE: "" },
      [/an SQLite file has one server alone: set BREAKGLASS_STORE$/],
    ],
    ["any free port", { BREAKGLASS_CLUSTER_LISTEN: "127.0.0.1:0", ...SECRET }, [/takes HOST:PORT/]],
  ])("is refused, a line for each: %s", (_what, variables, lines) => {
    const problems = problemsOf(variables);
    expect(problems).toHaveLength(lines.length);
    for (const [index, line] of lines.entries()) expect(problems[index]).toMatch(line);
  });
});
