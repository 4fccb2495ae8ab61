import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";
import { PROBES } from "../../src/edge/request-target.ts";
import { REPOSITORY } from "../docs/pages.ts";

interface Service {
  readonly image: string;
  readonly network_mode?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const DEPLOY = join(REPOSITORY, "deploy");
const PROXY = join(DEPLOY, "compose-haproxy.cfg");
const compose = parse(readFileSync(join(DEPLOY, "compose.yaml"), "utf8"), {
  merge: true,
  strict: true,
}) as Compose;
const services = Object.entries(compose.services);
const replicas = services.filter(([name]) => name.startsWith("replica-"));
const noHaproxy = spawnSync("haproxy", ["-v"]).error !== undefined;
const lack = noHaproxy ? " (left out: no haproxy on PATH; apt-get install haproxy)" : "";

describe("the compose file", () => {
  it("has a database, a proxy and three replicas", () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(["database", "proxy", "replica-1", "replica-2", "replica-3"]),
    );
    expect(replicas).toHaveLength(3);
  });

  it("sets only what is a setting, and what the service takes", () => {
    const known: string[] = ALL_SETTINGS.map(({ variable }) => variable);
    for (const [, { environment = {} }] of replicas) {
      const own = Object.keys(environment).filter((name) => name.startsWith("BREAKGLASS_"));
      expect(own.length).toBeGreaterThan(4);
      expect(own.filter((name) => !known.includes(name))).toEqual([]);
      expect(() => readServeConfig({ HOME: "/var/lib/breakglass", ...environment })).not.toThrow();
    }
  });

  it("names only secrets, volumes, services and files that are there", () => {
    for (const [, { secrets = [], volumes = [], depends_on = {}, network_mode }] of services) {
      expect(secrets.filter((name) => compose.secrets[name] === undefined)).toEqual([]);
      const sources = volumes.map((volume) => volume.split(":")[0]!);
      const isThere = (source: string) =>
        source.startsWith(".") ? existsSync(join(DEPLOY, source)) : source in compose.volumes;
      expect(sources.filter((source) => !isThere(source))).toEqual([]);
      const others = [...Object.keys(depends_on), network_mode?.replace("service:", "") ?? "proxy"];
      expect(others.filter((name) => compose.services[name] === undefined)).toEqual([]);
    }
    const secrets = replicas.flatMap(([, { environment = {} }]) =>
      Object.values(environment).filter((value) => value.startsWith("/run/secrets/")),
    );
    const names = secrets.map((path) => path.slice("/run/secrets/".length));
    expect(names.filter((name) => compose.secrets[name] === undefined)).toEqual([]);
  });

  it("gives each replica a disk and ports of its own, on the loopback that they share", () => {
    const of = (name: string) => replicas.map(([, { environment = {} }]) => environment[name]);
    const ports = [...of("BREAKGLASS_LISTEN"), ...of("BREAKGLASS_CLUSTER_LISTEN")];
    expect(new Set(ports).size).toBe(2 * replicas.length);
    expect(ports.every((port) => port?.startsWith("127.0.0.1:"))).toBe(true);
    expect(new Set(replicas.map(([, { volumes }]) => volumes![0])).size).toBe(replicas.length);
    expect(replicas.every(([, { network_mode }]) => network_mode === "service:proxy")).toBe(true);
  });

  it("has the proxy know all of them, and ask what is answered", () => {
    const config = readFileSync(PROXY, "utf8");
    const known = [...config.matchAll(/^ {2}server (\S+) (\S+)$/gm)].map(([, ...found]) => found);
    const listen = replicas.map(([name, { environment }]) => [
      name,
      environment?.BREAKGLASS_LISTEN,
    ]);
    expect(known).toEqual(listen);
    expect(config).toContain(`httpchk GET ${PROBES.readiness}`);
  });

  it.skipIf(noHaproxy)(`has a proxy's configuration that HAProxy takes${lack}`, () => {
    const { status, stderr } = spawnSync("haproxy", ["-c", "-q", "-f", PROXY], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("names the image as the package is versioned", () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
    for (const [, { image }] of replicas) expect(image).toBe(`breakglass:${version}`);
  });
});
