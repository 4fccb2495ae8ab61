import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { admit } from "./admission.ts";
import { breakglassService } from "./breakglass-service.ts";
import type { DescribeServer } from "./describe-server.ts";
import { healthService } from "./health-service.ts";
import { alphaReflectionService, reflectionService } from "./reflection-service.ts";
import { ACCEPTED_COMPRESSION } from "./request-messages.ts";
import type { RequestLimits } from "./request-rules.ts";
import { statusOf } from "./status.ts";

/** What the services are made of. */
export interface ServicesOptions extends RequestLimits {
  readonly turns: Turns;
  readonly describeServer: DescribeServer;
  readonly log: Log;
}

const MIB = 1024 * 1024;
/** Of services whose messages the framework reads: questions of some words, in whichever way they are compressed. */
const DIALOGUE = { readMaxBytes: 16 * 1024, acceptCompression: [compressionGzip] };

/** Routes calls as all are: each passes `admit` before anything of it is read, and answers are compressed and bounded. */
export function createRouter(log: Log): ConnectRouter {
  return createConnectRouter({
    acceptCompression: [...ACCEPTED_COMPRESSION],
    requestGate: async (context) => {
      try {
        await admit(context);
      } catch (error) {
        throw statusOf(error, log);
      }
    },
    // Responses are bounded to 3 MiB where they are made; this is what grpc-js takes by default.
    writeMaxBytes: 4 * MIB,
  });
}

/** The methods of all services, by their paths. */
export function createHandlers(options: ServicesOptions): ReadonlyMap<string, UniversalHandler> {
  const { turns, describeServer, log } = options;
  const services = [BreakglassService, Health, ServerReflection, ServerReflectionAlpha];
  const router = createRouter(log)
    .service(BreakglassService, breakglassService(turns, options, describeServer, log))
    .service(Health, healthService(turns.serving, log))
    .service(ServerReflection, reflectionService(services), DIALOGUE)
    .service(ServerReflectionAlpha, alphaReflectionService(services), DIALOGUE);
  return handlersOf(router);
}

/** What a router has, by the paths of calls. */
export function handlersOf({ handlers }: ConnectRouter): ReadonlyMap<string, UniversalHandler> {
  return new Map(handlers.map((handler) => [handler.requestPath, handler]));
}
