import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROCESS_ID_VARIABLE } from "../../src/config/environment.ts";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";
import { unknownVariables } from "../../src/config/unknown-variables.ts";

/** What Kubernetes sets in each pod of a namespace with such a Service of two ports. */
function kubernetesLinks(service: string, host: string): Record<string, string> {
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    [`${service}_SERVICE_HOST`]: host,
    [`${service}_SERVICE_PORT`]: "7433",
    [`${service}_SERVICE_PORT_GRPC`]: "7433",
    [`${service}_SERVICE_PORT_DNS_UDP`]: "53",
    [`${service}_PORT`]: `tcp://${shown}:7433`,
    [`${service}_PORT_7433_TCP`]: `tcp://${shown}:7433`,
    [`${service}_PORT_7433_TCP_PROTO`]: "tcp",
    [`${service}_PORT_7433_TCP_PORT`]: "7433",
    [`${service}_PORT_7433_TCP_ADDR`]: host,
    [`${service}_PORT_53_UDP`]: `udp://${shown}:53`,
    [`${service}_PORT_53_UDP_PROTO`]: "udp",
    [`${service}_PORT_53_UDP_PORT`]: "53",
    [`${service}_PORT_53_UDP_ADDR`]: host,
  };
}

describe("unknownVariables", () => {
  it.each([
    ["BREAKGLASS_PERMISION_MODE", "BREAKGLASS_PERMISSION_MODE"],
    ["BREAKGLASS_PERMISSIONS_MODE", "BREAKGLASS_PERMISSION_MODE"],
    ["BREAKGLASS_TOKENFILE", "BREAKGLASS_TOKENS_FILE"],
    ["BREAKGLASS_TOKN", "BREAKGLASS_TOKEN"],
    ["BREAKGLASS_ULR", "BREAKGLASS_URL"],
    ["BREAKGLASS_TIMEOUT_SECONDS", "BREAKGLASS_TURN_TIMEOUT_SECONDS"],
    ["breakglass_token", "BREAKGLASS_TOKEN"],
    ["Breakglass_Permision_Mode", "BREAKGLASS_PERMISSION_MODE"],
    ["BREAKGLASS_DRAIN_SECOND", "BREAKGLASS_DRAIN_SECONDS"],
  ])("names the setting that %s was meant to be", (name, meant) => {
    expect(unknownVariables({ [name]: "x" })).toEqual([
      `${name} is not a setting: did you mean ${meant}?`,
    ]);
  });

  it.each(["BREAKGLASS_PORT", "BREAKGLASS_IMAGE", "BREAKGLASS_", "breakglass_x"])(
    "guesses nothing for %s, which is like none",
    (name) => {
      expect(unknownVariables({ [name]: "8080" })).toEqual([
        `${name} is not a setting: \`breakglass serve --help\` lists the settings`,
      ]);
    },
  );

  it("finds every setting again behind one wrong letter, and tells no value", () => {
    const mistakes = fc.record({
      setting: fc.constantFrom(...ALL_SETTINGS),
      at: fc.nat(),
      letter: fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ_"),
    });
    const names = new Set<string>(ALL_SETTINGS.map(({ variable }) => variable));
    fc.assert(
      fc.property(mistakes, ({ setting: { variable }, at, letter }) => {
        const index = "BREAKGLASS_".length + (at % (variable.length - "BREAKGLASS_".length));
        const name = variable.slice(0, index) + letter + variable.slice(index);
        fc.pre(!names.has(name));
        const lines = unknownVariables({ [name]: "the value of it" });
        expect(lines).toEqual([`${name} is not a setting: did you mean ${variable}?`]);
      }),
    );
  });

  it("lets pass what is known, what is empty, what is not the service's, and what the server sets", () => {
    const known = Object.fromEntries(ALL_SETTINGS.map(({ variable }) => [variable, "x"]));
    const others = { BREAKGLASS: "x", BREAKGLASSES_X: "x", MY_BREAKGLASS_TOKEN: "x" };
    expect(unknownVariables({ ...known, ...others, BREAKGLASS_FOO: "" })).toEqual([]);
    expect(unknownVariables({ [PROCESS_ID_VARIABLE]: "an id" })).toEqual([]);
  });

  it.each([
    ["BREAKGLASS", "10.96.0.12"],
    ["BREAKGLASS", "fd00::12"],
    ["BREAKGLASS_SERVICE", "10.96.0.12"],
    ["BREAKGLASS_METRICS", "10.96.0.12"],
  ])("lets pass what Kubernetes sets for the Service %s at %s", (service, host) => {
    expect(unknownVariables(kubernetesLinks(service, host))).toEqual([]);
  });

  it("lets none of them pass that says what Kubernetes would not", () => {
    const links = kubernetesLinks("BREAKGLASS", "10.96.0.12");
    for (const name of Object.keys(links)) {
      const refused = unknownVariables({ ...links, [name]: "what else" });
      expect(refused, name).toContainEqual(expect.stringMatching(`^${name} is not a setting: `));
    }
    expect(unknownVariables({ ...links, BREAKGLASS_PORT: "8080" })).toHaveLength(1);
    expect(unknownVariables({ ...links, BREAKGLASS_PORT_7433_TCP_X: "7433" })).toHaveLength(1);
    expect(unknownVariables({ ...links, BREAKGLASS_PORTS: "tcp://10.0.0.1:1" })).toHaveLength(1);
  });

  it("lets none of them pass without a Service's address, and none of another Service", () => {
    const { BREAKGLASS_SERVICE_HOST: _, ...links } = kubernetesLinks("BREAKGLASS", "10.96.0.12");
    const count = Object.keys(links).length;
    expect(unknownVariables(links)).toHaveLength(count);
    expect(unknownVariables({ ...links, BREAKGLASS_SERVICE_HOST: "1.2.3" })).toHaveLength(
      count + 1,
    );
    const other = { BREAKGLASS_METRICS_PORT: "tcp://10.96.0.12:7433" };
    expect(unknownVariables({ ...kubernetesLinks("BREAKGLASS", "10.96.0.12"), ...other })).toEqual([
      expect.stringMatching(/^BREAKGLASS_METRICS_PORT is not a setting: /),
    ]);
  });
});
