import type { ServiceImpl } from "@connectrpc/connect";
import type { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { AuditSource } from "../audit/audit-source.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import type { DescribeServer } from "./describe-server.ts";
import { exportAudit } from "./export-audit.ts";
import type { RefusedRequests } from "./refused-requests.ts";
import { withReadMessages } from "./request-messages.ts";
import { type RequestLimits, runTurnRules } from "./request-rules.ts";
import { streamingMethods } from "./streaming-methods.ts";
import { withRefusalsTold } from "./told-refusals.ts";
import { unaryMethods } from "./unary-methods.ts";

/** The service: each request validated, handed to `turns`, and answered; each error made a status. */
export function breakglassService(
  turns: Turns,
  audit: AuditSource,
  limits: RequestLimits,
  describeServer: DescribeServer,
  refused: Pick<RefusedRequests, "count">,
  log: Log,
): ServiceImpl<typeof BreakglassService> {
  const methods = {
    ...streamingMethods(turns, runTurnRules(limits), log),
    ...unaryMethods(turns, describeServer, log),
    exportAudit: exportAudit(audit, turns.permissions, log),
  };
  return withReadMessages(withRefusalsTold(methods, refused));
}
