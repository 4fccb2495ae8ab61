import { setTimeout as delay } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type {
  ExportAuditRequest,
  ExportAuditResponseSchema,
} from "../../gen/breakglass/v1/audit_pb.ts";
import type { AuditSource } from "../audit/audit-source.ts";
import { readLine } from "../audit/record.ts";
import type { Permissions } from "../identity/permissions.ts";
import type { Log } from "../log.ts";
import { callerOf } from "./admission.ts";
import { exportAuditRules, validate } from "./request-rules.ts";
import { statusOf } from "./status.ts";
import { auditEnded } from "./stream-ending.ts";
import { endOf, passAtOnce } from "./streaming-methods.ts";

/** How often it is looked for new records by who follows. */
const LOOK_MS = 500;
const SILENCE_MS = 15_000;

type Answer = MessageInitShape<typeof ExportAuditResponseSchema>;

/** The method that hands out the audit: of low volume, so that it goes through the framework, message by message. */
export function exportAudit(audit: AuditSource, permissions: Permissions, log: Log) {
  return async function* exportAudit(
    message: ExportAuditRequest,
    context: HandlerContext,
  ): AsyncGenerator<Answer> {
    const { signal } = context;
    passAtOnce(context);
    try {
      const caller = callerOf(context);
      const refusal = permissions.refusalToReadAudit(caller);
      if (refusal !== undefined) throw refusal;
      const { afterSequence, follow } = validate(exportAuditRules, message);
      const newest = await audit.newest();
      let cursor = afterSequence < 0 ? Math.max(0, newest + afterSequence) : afterSequence;
      audit.noteRead(caller, cursor);
      for (let heard = performance.now(); !signal.aborted; ) {
        const records = await audit.read(cursor);
        if (records.length > 0) cursor = readLine(records.at(-1)!).sequence;
        if (records.length > 0 || performance.now() - heard > SILENCE_MS) {
          yield { records };
          heard = performance.now();
        } else if (!follow) return;
        else await delay(LOOK_MS, undefined, { signal }).catch(() => {});
      }
      throw endOf(signal, (ending) => auditEnded(ending, cursor));
    } catch (error) {
      throw statusOf(error, log);
    }
  };
}
