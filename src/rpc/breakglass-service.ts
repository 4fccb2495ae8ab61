import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import { takeMessage } from "./request-messages.ts";
import { type RequestLimits, runTurnRules } from "./request-rules.ts";
import { streamingMethods } from "./streaming-methods.ts";
import { unaryMethods } from "./unary-methods.ts";

type Method = (message: never, context: HandlerContext) => unknown;

/** The service: each request validated, handed to `turns`, and answered; each error made a status. */
export function breakglassService(
  turns: Turns,
  limits: RequestLimits,
  log: Log,
): ServiceImpl<typeof BreakglassService> {
  return withReadMessages({
    ...streamingMethods(turns, runTurnRules(limits), log),
    ...unaryMethods(turns, log),
  });
}

/** The same methods, each given the message of its request in place of what the framework read. */
function withReadMessages<M extends Record<string, Method>>(methods: M): M {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    (_standIn: never, context: HandlerContext) => method(takeMessage(context) as never, context),
  ]);
  return Object.fromEntries(wrapped) as M;
}
