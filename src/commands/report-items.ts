import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type ApprovalDecision,
  ApprovalDecisionSchema,
  ErrorReasonSchema,
  NoticeReasonSchema,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { type Turn, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import { wholeInput } from "./event-text.ts";
import { timeText } from "./time-text.ts";
import { stateWord } from "./turn-outcome.ts";

/** Something that happened, as a report tells it. None of its texts is safe to show as it is. */
export interface ReportItem {
  /** Such as `2026-01-02T03:04:05Z`. */
  readonly time: string;
  readonly title: string;
  /** Prose is what somebody said; code is a command, an input or an output. */
  readonly body: { readonly kind: "prose" | "code"; readonly text: string } | undefined;
  /** Something failed, was denied or may not be what it says. */
  readonly isBad: boolean;
  /** How deep it was done: 1 by a subagent. */
  readonly depth: 0 | 1;
}

/** A fact of a turn: its name and what it is. */
export type Fact = readonly [name: string, value: string];

/** What is known of a turn before any of its events is read. */
export function factsOf(turn: Turn): Fact[] {
  const { usage, permissionDenialCount: denials, attachments } = turn;
  const facts: (Fact | false)[] = [
    ["Turn", turn.turnId],
    ["Session", turn.sessionId],
    ["Asked by", turn.principal],
    ["State", stateWord(turn.state)],
    ["Began", timeText(turn.createTime)],
    turn.endTime !== undefined && ["Ended", timeText(turn.endTime)],
    ["Agent", `${turn.agent} on ${turn.model}`],
    ["Cost", `$${turn.totalCostUsd.toFixed(4)}`],
    usage !== undefined && [
      "Tokens",
      `${usage.inputTokens + usage.cacheReadInputTokens + usage.cacheCreationInputTokens} in, ${usage.outputTokens} out`,
    ],
    denials > 0 && ["Denied tool calls", String(denials)],
    attachments.length > 0 && ["Attachments", attachments.map(({ name }) => name).join(", ")],
    turn.origin === TurnOrigin.AGENT && ["Begun by", "the agent itself"],
  ];
  return facts.filter((fact) => fact !== false);
}

/** What a report tells of an event. Undefined: nothing. */
export function reportItem(event: TurnEvent): ReportItem | undefined {
  const told = toldOf(event);
  if (told === undefined) return undefined;
  const [title, body, isBad = false] = told;
  const { kind } = event;
  const isInner =
    kind.value !== undefined && "parentToolId" in kind.value && kind.value.parentToolId !== "";
  return { time: timeText(event.createTime), title, body, isBad, depth: isInner ? 1 : 0 };
}

type Told = [title: string, body: ReportItem["body"], isBad?: boolean];

function toldOf({ kind }: TurnEvent): Told | undefined {
  switch (kind.case) {
    case "session": {
      const { model, agent, agentVersion, resumed } = kind.value;
      const facts = `${model}, agent ${agent}, version ${agentVersion}`;
      return [
        `The agent came up: ${facts}, ${resumed ? "resumed" : "a new conversation"}`,
        undefined,
      ];
    }
    case "text":
      return ["The agent", prose(kind.value.text + cut(kind.value))];
    case "thinking":
      return kind.value.text === ""
        ? undefined
        : ["The agent thought", prose(kind.value.text + cut(kind.value))];
    case "tool": {
      const { name, inputJson, truncated } = kind.value;
      return [`Tool call: ${name}`, code(truncated ? cut(kind.value) : wholeInput(inputJson))];
    }
    case "toolResult": {
      const { isError, content } = kind.value;
      return [isError ? "It failed" : "It answered", code(content + cut(kind.value)), isError];
    }
    case "notice":
      return [
        `Notice: ${enumName(NoticeReasonSchema, kind.value.reason)}`,
        prose(kind.value.message),
      ];
    case "steer":
      return [`${kind.value.principal} told the agent`, prose(kind.value.message)];
    case "approvalRequest": {
      const { name, inputJson, description } = kind.value;
      const about = description === "" ? "" : `: ${description}`;
      return [`Asked for an approval of ${name}${about}`, code(wholeInput(inputJson))];
    }
    case "approvalResolution":
      return resolutionOf(kind.value);
    default:
      return endOf(kind);
  }
}

function endOf(kind: TurnEvent["kind"]): Told | undefined {
  if (kind.case === "result") {
    const { isError, result, duration, permissionDenials: denials, totalCostUsd } = kind.value;
    const time =
      duration === undefined ? "" : ` after ${(durationMs(duration) / 1000).toFixed(1)} s`;
    const denied =
      denials.length === 0
        ? ""
        : `, and ${denials.length === 1 ? "1 tool call was" : `${denials.length} tool calls were`} denied`;
    const cost = totalCostUsd > 0 ? ` ($${totalCostUsd.toFixed(4)})` : "";
    const title = `The turn ${isError ? "failed" : "succeeded"}${time}${cost}${denied}`;
    return [
      title,
      result === "" ? undefined : prose(result + cut(kind.value)),
      isError || denied !== "",
    ];
  }
  if (kind.case === "error") {
    const { reason, message, stderrTail } = kind.value;
    const tail = stderrTail === "" ? "" : `\n\n${stderrTail}`;
    return [
      `The turn was ended: ${enumName(ErrorReasonSchema, reason)}`,
      prose(message + tail),
      true,
    ];
  }
  return undefined;
}

function resolutionOf(value: {
  decision: ApprovalDecision;
  principal: string;
  message: string;
  inputJson: string;
}): Told {
  const name = enumName(ApprovalDecisionSchema, value.decision);
  const by = value.principal === "" ? "" : ` by ${value.principal}`;
  const title = `The approval: ${name.toLowerCase().replaceAll("_", " ")}${by}`;
  const isAllowed = name.startsWith("ALLOWED");
  if (value.inputJson !== "") return [title, code(wholeInput(value.inputJson))];
  return [title, value.message === "" ? undefined : prose(value.message), !isAllowed];
}

function cut({ truncated, totalBytes }: { truncated: boolean; totalBytes: bigint }): string {
  return truncated ? ` … (cut; ${totalBytes} bytes in all)` : "";
}

function prose(text: string): ReportItem["body"] {
  return { kind: "prose", text };
}

function code(text: string): ReportItem["body"] {
  return { kind: "code", text };
}
