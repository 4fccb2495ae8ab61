import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  ApprovalDecisionSchema,
  ErrorReason,
  ErrorReasonSchema,
  type TurnEvent,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import type { UntoldNotification } from "../store/outbox.ts";
import type { TurnRecord } from "../store/records.ts";
import { cutText } from "../stream/cut-text.ts";

/** What messages say. */
export interface MessageOptions {
  /** Where people find the turn: `/turns/ID` below it. Undefined: there is no link. */
  readonly publicUrl: string | undefined;
  /** Whether they tell of what was said and read. */
  readonly hasContent: boolean;
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string;
}

/** What a name may take, in bytes. */
const NAME_BYTES = 256;
/** What each text may take, in bytes: Standard Webhooks asks for messages of less than 20 kB. */
const TEXT_BYTES = 4096;
/** What is looked through for secrets, in characters: one that is cut would not be found. */
const LOOKED_THROUGH = 4 * TEXT_BYTES;

/** The `webhook-id` of a notification: the same whenever it is sent, so that the receiver can drop what comes twice. */
export function messageId({ turnId, sequence }: Pick<UntoldNotification, "turnId" | "sequence">) {
  return `msg_${turnId}_${sequence}`;
}

/** A message's body, as it is sent: `type`, `timestamp` and `data`, in JSON. Without content it has names, ids and states alone. */
export function messageBody(
  { kind, sequence, time }: Pick<UntoldNotification, "kind" | "sequence" | "time">,
  turn: TurnRecord,
  event: TurnEvent,
  options: MessageOptions,
): string {
  const { publicUrl, hasContent } = options;
  const name = (text: string) => cutText(options.redact(text.slice(0, LOOKED_THROUGH)), NAME_BYTES);
  const { title, facts } = factsOf(event, name);
  const data = {
    title,
    turn_id: turn.turnId,
    session_id: turn.sessionId,
    sequence,
    principal: name(turn.principal),
    state: enumName(TurnStateSchema, turn.state),
    ...facts,
    ...(publicUrl === undefined ? {} : { link: linkTo(turn.turnId, publicUrl) }),
    ...(hasContent ? { content: contentOf(event, turn, options.redact) } : {}),
  };
  return JSON.stringify({ type: kind, timestamp: new Date(time).toISOString(), data });
}

interface Facts {
  /** A sentence for a person. */
  readonly title: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** What an event says of its kind, without anything that was said or read. */
function factsOf({ kind }: TurnEvent, name: (text: string) => string): Facts {
  switch (kind.case) {
    case "approvalRequest": {
      const { approvalId, expireTime } = kind.value;
      const tool = name(kind.value.name);
      const expires = expireTime && { expire_time: timestampDate(expireTime).toISOString() };
      const facts = { approval_id: approvalId, tool, ...expires };
      return { title: `${tool} waits for an approval`, facts };
    }
    case "approvalResolution": {
      const { approvalId } = kind.value;
      const decision = enumName(ApprovalDecisionSchema, kind.value.decision);
      const by = name(kind.value.principal);
      const facts = { approval_id: approvalId, decision, ...(by === "" ? {} : { decided_by: by }) };
      const title = `An approval was decided${by === "" ? "" : ` by ${by}`}: ${decision}`;
      return { title, facts };
    }
    case "error": {
      const reason = enumName(ErrorReasonSchema, kind.value.reason);
      const isCanceled = kind.value.reason === ErrorReason.CANCELED;
      const title = isCanceled ? "A turn was canceled" : `A turn failed: ${reason}`;
      return { title, facts: { error_reason: reason } };
    }
    case "result":
      return { title: kind.value.isError ? "A turn failed" : "A turn succeeded", facts: {} };
    default:
      return { title: "", facts: {} };
  }
}

function contentOf({ kind }: TurnEvent, turn: TurnRecord, redact: (text: string) => string) {
  const text = (whole: string) => cutText(redact(whole.slice(0, LOOKED_THROUGH)), TEXT_BYTES);
  const prompt = text(turn.prompt);
  switch (kind.case) {
    case "approvalRequest":
      return { prompt, input_json: text(kind.value.inputJson) };
    case "approvalResolution":
      return { prompt, message: text(kind.value.message) };
    case "error":
      return { prompt, message: text(kind.value.message) };
    case "result":
      return { prompt, result: text(kind.value.result) };
    default:
      return { prompt };
  }
}

function linkTo(turnId: string, publicUrl: string): string {
  return `${publicUrl.replace(/\/+$/, "")}/turns/${turnId}`;
}
