import { connectNodeAdapter } from "@connectrpc/connect-node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { admit, contextValuesOf, originOf } from "./admission.ts";
import { breakglassService } from "./breakglass-service.ts";
import type { RequestListener } from "./http.ts";
import type { Origins } from "./origins.ts";
import { statusOf } from "./status.ts";
import type { Tokens } from "./tokens.ts";

const MIB = 1024 * 1024;

/** What requests are answered with. */
export interface RequestListenerOptions {
  readonly turns: Turns;
  readonly origins: Origins;
  /** Undefined: everyone is `local`. */
  readonly tokens: Tokens | undefined;
  readonly maxPromptBytes: number;
  readonly log: Log;
}

/** Answers HTTP requests of either version: gRPC, gRPC-Web and Connect, and the preflights of browsers. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { turns, origins, tokens, maxPromptBytes, log } = options;
  const rpc = connectNodeAdapter({
    routes: (router) => {
      router.service(BreakglassService, breakglassService(turns, maxPromptBytes, log));
    },
    contextValues: contextValuesOf,
    requestGate: (context) => {
      try {
        admit(context, origins, tokens);
      } catch (error) {
        throw statusOf(error, log);
      }
    },
    readMaxBytes: maxPromptBytes + MIB,
    // Responses are bounded to 3 MiB where they are made; this is what grpc-js takes by default.
    writeMaxBytes: 4 * MIB,
  });
  return (request, response) => {
    const origin = originOf(request);
    // The adapter makes a URL of it, and what that throws nobody catches.
    if (origin.host === undefined || !URL.canParse(request.url ?? "", `http://${origin.host}`)) {
      response.writeHead(400);
      response.end();
      return;
    }
    const preflight = request.method === "OPTIONS";
    const headers = origins.corsHeaders(origin, preflight);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (!preflight) {
      rpc(request, response);
      return;
    }
    response.writeHead(origins.refusalOf(origin) === undefined ? 204 : 403);
    response.end();
  };
}
