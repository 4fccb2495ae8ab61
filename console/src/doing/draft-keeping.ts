import type { Attached } from "./attachments.ts";

const PREFIX = "breakglass.draft.";
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

/** @param place - Which draft it is: that of a session, or of a new one. */
export function readDraft(place: string): KeptDraft | undefined {
  try {
    const text = sessionStorage.getItem(PREFIX + place);
    if (text === null) return undefined;
    const kept = JSON.parse(text) as KeptDraft;
    const attachments = kept.attachments.map((attached) => ({
      ...attached,
      data: attached.data && Uint8Array.from(atob(String(attached.data)), (c) => c.charCodeAt(0)),
    }));
    return { ...kept, choices: { ...NO_CHOICES, ...kept.choices }, attachments };
  } catch {
    return undefined; // The browser keeps nothing, or somebody else wrote there.
  }
}

export function keepDraft(place: string, draft: KeptDraft): void {
  const bytes = draft.attachments.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  const isSmall = bytes <= MOST_KEPT_BYTES;
  const attachments = draft.attachments.map(({ data, ...about }) => ({
    ...about,
    data: isSmall ? data && base64(data) : undefined,
  }));
  try {
    sessionStorage.setItem(PREFIX + place, JSON.stringify({ ...draft, attachments }));
  } catch {} // It is full, or keeps nothing: the page has the draft.
}

export function forgetDraft(place: string): void {
  try {
    sessionStorage.removeItem(PREFIX + place);
  } catch {}
}

/** Forgets all, as when somebody signs out. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
    }
  } catch {}
}

function base64(data: Uint8Array): string {
  let text = "";
  for (let at = 0; at < data.length; at += 8192) {
    text += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return btoa(text);
}
