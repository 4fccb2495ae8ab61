import { keep, kept } from "../server/keeping.ts";
import type { Attached } from "./attachments.ts";

/** The bytes of files are kept up to here: a browser keeps few MB for a page. */
const MOST_KEPT_BYTES = 512 * 1024;

/** What one chose for a turn; empty: the session's, else the server's default. */
export interface Choices {
  readonly agentKind: string;
  readonly model: string;
  readonly agent: string;
  readonly mode: "" | "ask" | "bypass";
  /** As it was written. */
  readonly maxCostUsd: string;
  readonly maxModelTurns: string;
  readonly timeoutMinutes: string;
  readonly recall: boolean;
}

export const NO_CHOICES: Choices = {
  agentKind: "",
  model: "",
  agent: "",
  mode: "",
  maxCostUsd: "",
  maxModelTurns: "",
  timeoutMinutes: "",
  recall: false,
};

/** A prompt that is being written, or was sent and not confirmed, as the tab keeps it. */
export interface KeptDraft {
  readonly text: string;
  readonly choices: Choices;
  readonly attachments: readonly Attached[];
  /** The turn's start is idempotent by it. */
  readonly requestId: string;
  /** When it was sent, in milliseconds since the epoch. Undefined: it was not, or was refused. */
  readonly sentAt?: number | undefined;
}

/** Which draft it is: whose, and of which session or of a new one. */
export interface DraftPlace {
  readonly principal: string;
  readonly name: string;
}

export function readDraft({ principal, name }: DraftPlace): KeptDraft | undefined {
  try {
    const draft = JSON.parse(kept(principal, name) ?? "null") as KeptDraft | null;
    if (draft === null) return undefined;
    const attachments = draft.attachments.map((attached) => ({
      ...attached,
      data: attached.data && Uint8Array.from(atob(String(attached.data)), (c) => c.charCodeAt(0)),
    }));
    return { ...draft, choices: { ...NO_CHOICES, ...draft.choices }, attachments };
  } catch {
    return undefined; // Somebody else wrote there.
  }
}

export function keepDraft({ principal, name }: DraftPlace, draft: KeptDraft): void {
  const bytes = draft.attachments.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  const isSmall = bytes <= MOST_KEPT_BYTES;
  const attachments = draft.attachments.map(({ data, ...about }) => ({
    ...about,
    data: isSmall ? data && base64(data) : undefined,
  }));
  keep(principal, name, JSON.stringify({ ...draft, attachments }));
}

export function forgetDraft({ principal, name }: DraftPlace): void {
  keep(principal, name, undefined);
}

function base64(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += 8192) {
    text += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return btoa(text);
}
