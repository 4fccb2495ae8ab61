import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  type Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { StreamEnding } from "../edge/stream-ending.ts";
import { notFound, Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Serving } from "../turns/serving.ts";
import { withReadMessages } from "./request-messages.ts";
import { statusOf } from "./status.ts";

/** The server as a whole, and the service by its name. They are well together. */
const SERVICES: readonly string[] = ["", BreakglassService.typeName];
const RETRY_MS = 1000;

/** gRPC's health checking: `Check` answers anyone, see `admit`; `Watch` and `List` take a token like every other call. */
export function healthService(serving: Serving, log: Log): ServiceImpl<typeof Health> {
  const now = async () => ({ status: statusFor(await serving.isServing()) });
  return withReadMessages({
    async check({ service }: HealthCheckRequest) {
      if (!SERVICES.includes(service)) throw statusOf(notFound("service"), log);
      return now();
    },

    async *watch({ service }: HealthCheckRequest, { signal }: HandlerContext) {
      if (!SERVICES.includes(service)) {
        yield { status: Status.SERVICE_UNKNOWN };
        await aborted(signal);
      } else {
        for await (const is of serving.changes(signal)) yield { status: statusFor(is) };
      }
      throw statusOf(endOf(signal), log);
    },

    async list() {
      const status = await now();
      return { statuses: Object.fromEntries(SERVICES.map((service) => [service, status])) };
    },
  });
}

function statusFor(isServing: boolean): Status {
  return isServing ? Status.SERVING : Status.NOT_SERVING;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}

/** What a watcher is told whose stream the server ends, or whose time is up. */
function endOf({ reason }: AbortSignal): Error {
  if (reason instanceof StreamEnding) {
    return new Refusal("STREAM_ENDED", reason.message, { retryAfterMs: RETRY_MS });
  }
  return reason instanceof ConnectError
    ? reason
    : new ConnectError("the client went away", Code.Canceled);
}
