import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

const CONFIG = fileURLToPath(new URL("../../deploy/envoy.yaml", import.meta.url));
/** Where gRPC's package keeps Envoy's protos: its own imports, side by side. */
const PROTOS = join(
  dirname(createRequire(import.meta.url).resolve("@grpc/grpc-js-xds")),
  "../../deps",
);
const ROOTS = ["envoy-api", "googleapis", "protoc-gen-validate", "xds"];
const BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap";
/** What stands in an `Any` of the configuration. */
const EXTENSIONS = [
  "extensions/filters/http/router/v3/router.proto",
  "extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
  "extensions/transport_sockets/tls/v3/tls.proto",
  "extensions/upstreams/http/v3/http_protocol_options.proto",
];

function envoyRegistry() {
  const directory = mkdtempSync(join(tmpdir(), "breakglass-envoy-"));
  try {
    for (const root of ROOTS) cpSync(join(PROTOS, root), directory, { recursive: true });
    // The package's protoc-gen-validate is older than its Envoy, and lacks this; rules are nothing to a descriptor.
    const protocol = join(directory, "envoy/config/core/v3/protocol.proto");
    writeFileSync(protocol, readFileSync(protocol, "utf8").replaceAll(" ignore_empty: true", ""));
    const wanted = ["config/bootstrap/v3/bootstrap.proto", ...EXTENSIONS];
    const paths = wanted.flatMap((path) => ["--path", join(directory, "envoy", path)]);
    const args = ["build", directory, "--as-file-descriptor-set", "-o", "-#format=binpb", ...paths];
    const buf = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
    const set = execFileSync(buf, args, { maxBuffer: 64 * 1024 * 1024 });
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("deploy/envoy.yaml", () => {
  let registry: ReturnType<typeof envoyRegistry>;
  const text = readFileSync(CONFIG, "utf8");
  beforeAll(() => {
    registry = envoyRegistry();
  });
  const check = (yaml: string) =>
    fromJson(registry.getMessage(BOOTSTRAP)!, parse(yaml) as JsonValue, { registry });

  it("is a configuration by Envoy's own schema, to the last field", () => {
    expect(check(text).$typeName).toBe(BOOTSTRAP);
  });

  it.each([
    ["stream_idle_timeout", "stream_idle_time"],
    ["v3.Router\n", "v3.Ruter\n"],
    ["timeout: 0s", "timeout: soon"],
    ["port_value: 7433", "port_value: gate"],
  ])("would not be one with a slip of the pen: %j as %j", (right, wrong) => {
    expect(text).toContain(right);
    expect(() => check(text.replace(right, wrong))).toThrow();
  });
});
