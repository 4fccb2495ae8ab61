import { type Session, streamTurn, type Turn, type TurnEvent } from "@breakglass/client";
import type { Account } from "../server/account.svelte.ts";
import { type ExportFormat, exportName, exportText } from "./export.ts";

/** So much text is handed to the browser's own memory at a time. */
const PART_CHARS = 1 << 20;

/** Makes files of turns, in the page alone: reads each turn from its first event on. One at a time. */
export class Exporting {
  /** How far it is; undefined: nothing is exported. */
  progress = $state.raw<{ readonly n: number; readonly of: number }>();
  failure = $state.raw<unknown>();
  readonly #account: Account;
  #stopping = new AbortController();

  constructor(account: Account) {
    this.#account = account;
  }

  /** Reads turns of a session, and has the browser keep them as a file. @param id - What the file is named by. */
  async run(
    session: Session | undefined,
    turns: readonly Turn[],
    id: string,
    format: ExportFormat,
  ) {
    this.stop();
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.failure = undefined;
    try {
      const blob = await this.#read(session, turns, format, stopping.signal);
      download(blob, exportName(id, format));
      return true;
    } catch (error) {
      if (!stopping.signal.aborted && !this.#account.heedRefusal(error)) this.failure = error;
      return false;
    } finally {
      if (this.#stopping === stopping) this.progress = undefined;
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.progress = undefined;
  }

  async #read(
    session: Session | undefined,
    turns: readonly Turn[],
    format: ExportFormat,
    signal: AbortSignal,
  ): Promise<Blob> {
    const whole = await this.#whole(turns, signal);
    const events = (turn: Turn) => {
      this.progress = { n: whole.indexOf(turn) + 1, of: whole.length };
      return recordedEvents(this.#account, turn, signal);
    };
    const version = this.#account.server?.version ?? "";
    const exported = { session, turns: whole, version, now: new Date(), events };
    const parts: Blob[] = [];
    let part = "";
    for await (const text of exportText(exported, format)) {
      part += text;
      if (part.length < PART_CHARS) continue;
      parts.push(new Blob([part]));
      part = "";
    }
    parts.push(new Blob([part]));
    return new Blob(parts, {
      type: format === "json" ? "application/json" : "text/markdown;charset=utf-8",
    });
  }

  /** As they are now, with their whole prompts, which lists cut. */
  async #whole(turns: readonly Turn[], signal: AbortSignal): Promise<Turn[]> {
    const whole: Turn[] = [];
    for (const { turnId } of turns) {
      const { turn } = await this.#account.client.getTurn({ turnId }, { signal });
      whole.push(turn!);
    }
    return whole;
  }
}

/** The events that a turn has on record when it is asked for; one that runs is not waited for. */
async function* recordedEvents(
  { client }: Account,
  { turnId, lastSequence }: Turn,
  signal: AbortSignal,
): AsyncGenerator<TurnEvent> {
  if (lastSequence === 0) return;
  for await (const event of streamTurn(client, { attach: { turnId } }, { signal })) {
    if (event.sequence > 0) yield event;
    if (event.sequence >= lastSequence) return;
  }
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
