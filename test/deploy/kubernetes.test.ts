import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";
import { PROBES } from "../../src/edge/request-target.ts";
import { REPOSITORY } from "../docs/pages.ts";

const MANIFEST = join(REPOSITORY, "deploy/kubernetes/breakglass.yaml");
/** Of Kubernetes 1.35, without what is written for people; kubeconform would fetch them. */
const SCHEMAS = join(import.meta.dirname, "kubernetes-schemas");
const isMissing = spawnSync("kubeconform", ["-v"]).error !== undefined;
const lack = isMissing ? " (left out: no kubeconform on PATH; go -C test/tools install tool)" : "";

interface Resource {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly {
          readonly env: readonly { readonly name: string }[];
          readonly livenessProbe: { readonly httpGet: { readonly path: string } };
          readonly readinessProbe: { readonly httpGet: { readonly path: string } };
        }[];
      };
    };
  };
}

const resources = parseAllDocuments(readFileSync(MANIFEST, "utf8")).map(
  (document) => document.toJS() as Resource,
);

function conform(manifest: string, input?: string) {
  const schemas = `${SCHEMAS}/{{.ResourceKind}}{{.KindSuffix}}.json`;
  return spawnSync("kubeconform", ["-strict", "-summary", "-schema-location", schemas, manifest], {
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
  });
}

describe("the manifest for Kubernetes", () => {
  it.skipIf(isMissing)(`is one that Kubernetes takes${lack}`, () => {
    const { status, stdout } = conform(MANIFEST);
    expect(stdout).toContain(`Valid: ${resources.length}, Invalid: 0, Errors: 0, Skipped: 0`);
    expect(status).toBe(0);
    const wrong = readFileSync(MANIFEST, "utf8").replace("replicas: 1", "replica: 1");
    expect(conform("-", wrong).status).not.toBe(0);
  });

  it("sets only what is a setting, and asks what is answered", () => {
    const set = resources.find(({ kind }) => kind === "StatefulSet")!;
    const [container] = set.spec.template.spec.containers;
    const known: string[] = ALL_SETTINGS.map(({ variable }) => variable);
    const names = container!.env.map(({ name }) => name).filter((name) => name.startsWith("BREAK"));
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
    expect(container!.livenessProbe.httpGet.path).toBe(PROBES.health);
    expect(container!.readinessProbe.httpGet.path).toBe(PROBES.readiness);
    expect(set.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(40);
  });

  it("names the image as the package is versioned", () => {
    const { version } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
    const image = execFileSync("grep", ["image:", MANIFEST], { encoding: "utf8" }).trim();
    expect(image).toBe(`image: breakglass:${version}`);
  });
});
