import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";
import { PROBES } from "../../src/edge/request-target.ts";
import { REPOSITORY } from "../docs/pages.ts";

/** Of Kubernetes 1.35, without what is written for people; kubeconform would fetch them. */
const SCHEMAS = join(import.meta.dirname, "kubernetes-schemas");
const isMissing = spawnSync("kubeconform", ["-v"]).error !== undefined;
const lack = isMissing ? " (left out: no kubeconform on PATH; go -C test/tools install tool)" : "";

interface Probe {
  readonly httpGet: { readonly path: string };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  readonly terminationGracePeriodSeconds?: number;
}

interface Container {
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas: number;
    readonly serviceName: string;
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly maxUnavailable?: number;
    readonly selector: unknown;
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[] }[];
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly Container[];
      };
    };
  };
}

function manifestOf(name: string) {
  const path = join(REPOSITORY, "deploy/kubernetes", name);
  const resources = parseAllDocuments(readFileSync(path, "utf8")).map(
    (document) => document.toJS() as Resource,
  );
  const set = resources.find(({ kind }) => kind === "StatefulSet")!;
  const { containers, terminationGracePeriodSeconds } = set.spec.template.spec;
  return { path, resources, set, container: containers[0]!, terminationGracePeriodSeconds };
}

function conform(manifest: string, input?: string) {
  const schemas = `${SCHEMAS}/{{.ResourceKind}}{{.KindSuffix}}.json`;
  return spawnSync("kubeconform", ["-strict", "-summary", "-schema-location", schemas, manifest], {
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
  });
}

describe.each(["breakglass.yaml", "breakglass-replicas.yaml"])("%s for Kubernetes", (name) => {
  const { path, resources, container, terminationGracePeriodSeconds } = manifestOf(name);

  it.skipIf(isMissing)(`is one that Kubernetes takes${lack}`, () => {
    const { status, stdout } = conform(path);
    expect(stdout).toContain(`Valid: ${resources.length}, Invalid: 0, Errors: 0, Skipped: 0`);
    expect(status).toBe(0);
    const wrong = readFileSync(path, "utf8").replace("  replicas:", "  replica:");
    expect(conform("-", wrong).status).not.toBe(0);
  });

  it("sets only what is a setting, and asks what is answered", () => {
    const known: string[] = ALL_SETTINGS.map(({ variable }) => variable);
    const names = container.env.map(({ name }) => name).filter((name) => name.startsWith("BREAK"));
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
    expect(container.livenessProbe.httpGet.path).toBe(PROBES.health);
    expect(container.readinessProbe.httpGet.path).toBe(PROBES.readiness);
    expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40);
  });

  it("names files that are mounted", () => {
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    const files = container.env.flatMap(({ value = "" }) => value.match(/\/etc\/[\w./-]+/g) ?? []);
    expect(files.length).toBeGreaterThan(0);
    const isMounted = (file: string) => mounts.some((mount) => file.startsWith(`${mount}/`));
    expect(files.filter((file) => !isMounted(file))).toEqual([]);
  });

  it("names the image as the package is versioned", () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
    expect(container.image).toBe(`breakglass:${version}`);
  });
});

describe("several replicas on Kubernetes", () => {
  const { resources, set, container } = manifestOf("breakglass-replicas.yaml");
  const named = (kind: string, name: string) =>
    resources.find((one) => one.kind === kind && one.metadata.name === name);
  const setTo = (name: string) => container.env.find((one) => one.name === name)?.value;

  it("are ended with their agents before the lease is over, where they do not answer", () => {
    const { periodSeconds, failureThreshold, timeoutSeconds, terminationGracePeriodSeconds } =
      container.livenessProbe;
    const within =
      periodSeconds * failureThreshold + timeoutSeconds + (terminationGracePeriodSeconds ?? 60);
    expect(within).toBeLessThan(Number(setTo("BREAKGLASS_LEASE_SECONDS")));
  });

  it("reach each other by the names that a headless service gives them", () => {
    const service = named("Service", set.spec.serviceName)!;
    expect(service.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
    const port = container.ports.find(({ name }) => name === "cluster")!.containerPort;
    expect(setTo("BREAKGLASS_CLUSTER_LISTEN")).toBe(`0.0.0.0:${port}`);
    expect(setTo("BREAKGLASS_CLUSTER_ADDRESS")).toBe(
      `$(POD_NAME).${service.metadata.name}.breakglass.svc.cluster.local:${port}`,
    );
    // Kubernetes puts in only what is set above.
    const names = container.env.map(({ name }) => name);
    expect(names.indexOf("POD_NAME")).toBeLessThan(names.indexOf("BREAKGLASS_CLUSTER_ADDRESS"));
    expect(names.indexOf("POD_NAME")).toBeGreaterThanOrEqual(0);
  });

  it("are taken down one at a time, and open their door to each other alone", () => {
    const budget = named("PodDisruptionBudget", "breakglass")!;
    expect(set.spec.replicas).toBe(3);
    expect(budget.spec.maxUnavailable).toBe(1);
    expect(budget.spec.selector).toEqual(set.spec.selector);
    const doors = named("NetworkPolicy", "breakglass")!.spec.ingress;
    const toCluster = doors.filter(({ ports }) => ports.some(({ port }) => port === "cluster"));
    const own = [{ podSelector: set.spec.selector }];
    expect(toCluster).toEqual([{ from: own, ports: [{ port: "cluster" }] }]);
  });
});
