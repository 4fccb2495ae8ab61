import { PermissionMode, type TurnToRead } from "@breakglass/client";
import type { KeptDraft } from "./draft-keeping.ts";

type Run = Extract<TurnToRead, { run: unknown }>["run"];

/** Whose session a prompt is for. `principal` empty: one's own. */
export interface SessionName {
  readonly sessionId: string;
  readonly principal: string;
}

const MODES = {
  "": PermissionMode.UNSPECIFIED,
  ask: PermissionMode.ASK,
  bypass: PermissionMode.BYPASS,
} as const;

/** What starts the turn that a draft asks for; the same draft is the same request. */
export function runRequest(draft: KeptDraft, session: SessionName | undefined): Run {
  const { choices, requestId } = draft;
  const minutes = numberOf(choices.timeoutMinutes);
  return {
    requestId,
    prompt: draft.text,
    model: choices.model.trim(),
    agent: choices.agent.trim(),
    permissionMode: MODES[choices.mode],
    maxCostUsd: numberOf(choices.maxCostUsd) ?? 0,
    maxModelTurns: numberOf(choices.maxModelTurns) ?? 0,
    attachments: draft.attachments.map(({ name, mediaType, data }) => ({
      name,
      mediaType,
      data: data ?? new Uint8Array(),
    })),
    ...(minutes !== undefined && { timeout: durationOf(minutes * 60) }),
    ...(session === undefined
      ? { agentKind: choices.agentKind }
      : {
          sessionId: session.sessionId,
          sessionPrincipal: session.principal,
          recall: choices.recall,
        }),
  };
}

/** A number that somebody wrote. Undefined: they wrote none. */
export function numberOf(text: string): number | undefined {
  const trimmed = String(text ?? "")
    .trim()
    .replace(",", ".");
  return trimmed === "" ? undefined : Number(trimmed);
}

function durationOf(seconds: number) {
  const whole = Math.floor(seconds);
  return { seconds: BigInt(whole), nanos: Math.round((seconds - whole) * 1e9) };
}

/** Whether it is nothing, or a number above 0. */
export function isAmount(text: string): boolean {
  const number = numberOf(text);
  return number === undefined || (Number.isFinite(number) && number > 0);
}

/** Whether nothing in the choices keeps them from being sent. Calls of the model are counted whole. */
export function areAmounts(choices: KeptDraft["choices"]): boolean {
  const { maxCostUsd, maxModelTurns, timeoutMinutes } = choices;
  const isWhole = Number.isInteger(numberOf(maxModelTurns) ?? 1);
  return [maxCostUsd, maxModelTurns, timeoutMinutes].every(isAmount) && isWhole;
}
