import { create, type DescService } from "@bufbuild/protobuf";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  type ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import type { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { ReflectedFiles } from "./reflected-files.ts";

type Answer = ServerReflectionResponse["messageResponse"];

/** gRPC's server reflection, by which tools find the methods and their messages. One stream takes any number of questions. */
export function reflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof ServerReflection> {
  const files = new ReflectedFiles(services);
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answerTo(request, services, files),
        });
      }
    },
  };
}

/** The same under its older name, which many tools still ask for: its messages are the same. */
export function alphaReflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof ServerReflectionAlpha> {
  return reflectionService(services) as unknown as ServiceImpl<typeof ServerReflectionAlpha>;
}

function answerTo(
  { messageRequest: asked }: ServerReflectionRequest,
  services: readonly DescService[],
  files: ReflectedFiles,
): Answer {
  switch (asked.case) {
    case "listServices":
      return answer("listServicesResponse", {
        service: services.map(({ typeName: name }) => ({ name })),
      });
    case "fileByFilename":
      return fileAnswer(files.named(asked.value), asked.value);
    case "fileContainingSymbol":
      return fileAnswer(files.defining(asked.value), asked.value);
    case "allExtensionNumbersOfType":
      return files.has(asked.value)
        ? answer("allExtensionNumbersResponse", { baseTypeName: asked.value })
        : failure(Code.NotFound, `there is no ${asked.value}`);
    case "fileContainingExtension":
      return failure(Code.NotFound, "nothing here is extended");
    default:
      return failure(Code.InvalidArgument, "the request asks for nothing that is known");
  }
}

function fileAnswer(found: Uint8Array[] | undefined, asked: string): Answer {
  return found === undefined
    ? failure(Code.NotFound, `there is no ${asked}`)
    : answer("fileDescriptorResponse", { fileDescriptorProto: found });
}

function failure(errorCode: Code, errorMessage: string): Answer {
  return answer("errorResponse", { errorCode, errorMessage });
}

/** One of the answers, whole. */
function answer(kind: NonNullable<Answer["case"]>, value: object): Answer {
  const messageResponse = { case: kind, value } as never;
  return create(ServerReflectionResponseSchema, { messageResponse }).messageResponse;
}
