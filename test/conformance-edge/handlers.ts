import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import type { Log } from "../../src/log.ts";
import { withReadMessages } from "../../src/rpc/request-messages.ts";
import { createRouter, handlersOf } from "../../src/rpc/router.ts";
import { ANY_TYPES } from "./any-types.ts";
import { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.ts";
import { bidiStream, serverStream, serverStreamPastFramework } from "./streaming-methods.ts";
import { clientStream, unaryMethods } from "./unary-methods.ts";

const { method } = ConformanceService;

/**
 * The suite's methods, but the one that is not to be there. Messages are read as the service's are: by it where there is one,
 * and by the framework where there may be more.
 *
 * @param maxBytes - What a message may have.
 * @param isPastFramework - Whether streams of a server are written as turns are.
 */
export function conformanceHandlers(
  maxBytes: number,
  isPastFramework: boolean,
  log: Log,
): ReadonlyMap<string, UniversalHandler> {
  const read = withReadMessages({
    ...unaryMethods,
    serverStream: isPastFramework ? serverStreamPastFramework : serverStream,
  });
  const jsonOptions = { registry: ANY_TYPES };
  const dialogue = {
    jsonOptions,
    readMaxBytes: maxBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
  };
  const router = createRouter(log)
    .rpc(method.unary, read.unary, { jsonOptions })
    .rpc(method.idempotentUnary, read.idempotentUnary, { jsonOptions })
    .rpc(method.serverStream, read.serverStream, { jsonOptions })
    .rpc(method.clientStream, clientStream, dialogue)
    .rpc(method.bidiStream, bidiStream, dialogue);
  return handlersOf(router);
}
