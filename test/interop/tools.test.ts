import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  ExtensionRequestSchema,
  ServerReflection,
  type ServerReflectionRequest,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const SERVICES = [
  BreakglassService.typeName,
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

const EXTENSION = create(ExtensionRequestSchema, {
  containingType: "breakglass.v1.Turn",
  extensionNumber: 1,
});

let server: TestServer;
let manager: Http2SessionManager;
beforeAll(async () => {
  server = await startTestServer();
  manager = new Http2SessionManager(server.url);
});
afterAll(async () => {
  manager.abort();
  await server[Symbol.asyncDispose]();
});

type Question = ServerReflectionRequest["messageRequest"];

/** Asks one thing after the other on one stream, each when the one before was answered, as tools do. */
async function ask(service: typeof ServerReflection | typeof Alpha, ...questions: Question[]) {
  const transport = createGrpcTransport({ baseUrl: server.url, sessionManager: manager });
  const client = createClient(service as typeof ServerReflection, transport);
  const answered = questions.map(() => Promise.withResolvers<void>());
  const answers = [];
  async function* requests() {
    for (const [n, messageRequest] of questions.entries()) {
      yield { messageRequest };
      await answered[n]!.promise;
    }
  }
  for await (const { messageResponse } of client.serverReflectionInfo(requests())) {
    answered[answers.length]!.resolve();
    answers.push(messageResponse);
  }
  return answers;
}

describe.each([
  ["v1", ServerReflection],
  ["v1alpha", Alpha],
] as const)("reflection %s", (_version, service) => {
  it("lists the services, and gives all that a tool needs to call them", async () => {
    const symbol = `${BreakglassService.typeName}.RunTurn`;
    const [list, files] = await ask(
      service,
      { case: "listServices", value: "" },
      { case: "fileContainingSymbol", value: symbol },
    );
    const named = list?.case === "listServicesResponse" ? list.value.service : [];
    expect(named.map(({ name }) => name)).toEqual(SERVICES);
    const bytes = files?.case === "fileDescriptorResponse" ? files.value.fileDescriptorProto : [];
    const file = bytes.map((one) => fromBinary(FileDescriptorProtoSchema, one)).toReversed();
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
    const found = registry.getService(BreakglassService.typeName);
    expect(found?.methods.map(({ name }) => name)).toEqual(
      BreakglassService.methods.map(({ name }) => name),
    );
  });

  it("says what there is not", async () => {
    const notFound = { case: "errorResponse", value: { errorCode: Code.NotFound } };
    const answers = await ask(
      service,
      { case: "fileByFilename", value: "breakglass/v1/turn.proto" },
      { case: "fileByFilename", value: "none.proto" },
      { case: "fileContainingSymbol", value: "breakglass.v1.None" },
      { case: "fileContainingExtension", value: EXTENSION },
      { case: "allExtensionNumbersOfType", value: "breakglass.v1.Turn" },
      { case: undefined },
    );
    expect(answers).toMatchObject([
      { case: "fileDescriptorResponse" },
      notFound,
      notFound,
      notFound,
      { case: "allExtensionNumbersResponse", value: { extensionNumber: [] } },
      { case: "errorResponse", value: { errorCode: Code.InvalidArgument } },
    ]);
  });
});

const TOOL = "grpcurl";
const isMissing = spawnSync(TOOL, ["-version"]).error !== undefined;
const lack = isMissing ? " (left out: no grpcurl on PATH; go -C test/tools install tool)" : "";

describe.skipIf(isMissing)(`grpcurl${lack}`, () => {
  const run = promisify(execFile);
  const grpcurl = (...args: string[]) => run(TOOL, ["-plaintext", ...args]);

  it("finds what there is, and calls it", async () => {
    const { host } = new URL(server.url);
    const list = await grpcurl(host, "list");
    expect(list.stdout.trim().split("\n")).toEqual(SERVICES);
    const method = `${BreakglassService.typeName}.RunTurn`;
    expect((await grpcurl(host, "describe", method)).stdout).toContain("rpc RunTurn");
    const turn = await grpcurl("-d", '{"prompt":"say hi"}', host, method);
    expect(turn.stdout).toContain('"text": "hi"');
    const health = await grpcurl(host, "grpc.health.v1.Health/Check");
    expect(health.stdout).toContain('"SERVING"');
  });
});
