import { execFile, execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { startTestServer } from "../support/test-server.ts";

const TOP = join(import.meta.dirname, "../..");
const BUF = join(TOP, "node_modules/.bin/buf");
const MANIFEST = JSON.parse(readFileSync(join(TOP, "package.json"), "utf8"));
/** What a release ships, and from where. */
const SHIPPED = "proto/breakglass.binpb";

/** What is taken from others, and the package that brings each change of it. */
const TAKEN = [
  ["google/rpc/error_details.proto", "google-proto-files/google/rpc/error_details.proto"],
  ["google/rpc/status.proto", "google-proto-files/google/rpc/status.proto"],
  ["grpc/health/v1/health.proto", "grpc-health-check/proto/health/v1/health.proto"],
  ...["v1", "v1alpha"].map((version) => {
    const path = `grpc/reflection/${version}/reflection.proto`;
    return [path, `@grpc/reflection/build/proto/${path}`] as const;
  }),
] as const;

/** The proto and buf's settings as a fresh clone has them, without node_modules. */
let clone: string;
beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "breakglass-proto-"));
  cpSync(join(TOP, "buf.yaml"), join(clone, "buf.yaml"));
  cpSync(join(TOP, "proto"), join(clone, "proto"), { recursive: true });
  // As `npm run build:descriptors` does it.
  const [program, ...args] = MANIFEST.scripts["build:descriptors"].split(" ");
  expect(program).toBe("buf");
  execFileSync(BUF, args, { cwd: clone });
});
afterAll(() => rmSync(clone, { recursive: true }));

describe("the proto", () => {
  it.each(TAKEN)("has %s as its maker publishes it", (path, source) => {
    const ours = readFileSync(join(TOP, "proto", path), "utf8");
    expect(ours).toBe(readFileSync(join(TOP, "node_modules", source), "utf8"));
  });

  it("has nothing of others beside those", () => {
    const theirs = ["google", "grpc"].flatMap((folder) =>
      readdirSync(join(TOP, "proto", folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".proto"))
        .map((name) => join(folder, name)),
    );
    expect(theirs.sort()).toEqual(TAKEN.map(([path]) => path).sort());
  });

  it("is linted where nothing is installed", () => {
    expect(execFileSync(BUF, ["lint"], { cwd: clone, encoding: "utf8" })).toBe("");
  });
});

describe(SHIPPED, () => {
  it("is made and shipped by a release", () => {
    expect(MANIFEST.scripts.build).toContain("npm run build:descriptors");
    expect(MANIFEST.files).toContain(SHIPPED);
  });

  it("has every type that a call can bring, and all that they import", () => {
    const set = fromBinary(FileDescriptorSetSchema, readFileSync(join(clone, SHIPPED)));
    // It throws where an import is missing.
    const registry = createFileRegistry(set);
    expect(registry.getService(BreakglassService.typeName)?.methods.length).toBe(
      BreakglassService.methods.length,
    );
    for (const name of ["ErrorInfo", "RetryInfo", "BadRequest", "Status"])
      expect(registry.getMessage(`google.rpc.${name}`)).toBeDefined();
    expect(registry.getService("grpc.health.v1.Health")).toBeDefined();
  });
});

const isMissing = spawnSync("grpcurl", ["-version"]).error !== undefined;
const lack = isMissing ? " (left out: no grpcurl on PATH; go -C test/tools install tool)" : "";

describe.skipIf(isMissing)(`grpcurl -protoset${lack}`, () => {
  const run = promisify(execFile);
  const method = `${BreakglassService.typeName}.RunTurn`;

  it("describes and calls the service, and reads its refusals, by the set alone", async () => {
    await using server = await startTestServer();
    const { host } = new URL(server.url);
    // With a set it asks no reflection.
    const grpcurl = (...args: string[]) =>
      run("grpcurl", ["-plaintext", "-protoset", join(clone, SHIPPED), ...args]);
    const described = await grpcurl("describe", method);
    expect(described.stdout).toContain("Starts a turn, or joins the one that `request_id` started");
    const turn = await grpcurl("-d", '{"prompt":"say hi"}', host, method);
    expect(turn.stdout).toContain('"text": "hi"');
    const refused = await grpcurl("-d", "{}", host, method).catch((error) => error.stderr);
    expect(refused).toContain('"reason": "INVALID_ARGUMENT"');
    expect(refused).toContain('"field": "prompt"');
  });
});
