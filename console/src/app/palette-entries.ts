import type { Session, Turn, TurnState } from "@breakglass/client";
import { words } from "../words/words.ts";
import { address, sessionPath, turnPath } from "./address.svelte.ts";
import type { Command } from "./keys.svelte.ts";

/** Something that the palette offers. */
export interface PaletteEntry {
  readonly id: string;
  readonly text: string;
  readonly run: () => void;
  readonly keys?: string | undefined;
  readonly state?: TurnState;
  readonly aside?: string;
}

/** Entries of a kind, below their name. */
export interface PaletteGroup {
  readonly name: string;
  readonly entries: readonly PaletteEntry[];
}

/** What is offered, in its order; kinds without entries are left out. */
export function paletteGroups(
  commands: readonly Command[],
  turns: readonly Turn[],
  sessions: readonly Session[],
): readonly PaletteGroup[] {
  const groups = [
    { name: words.palette.commands, entries: commands.map(commandEntry) },
    { name: words.palette.turns, entries: turns.map(turnEntry) },
    { name: words.palette.sessions, entries: sessions.map(sessionEntry) },
  ];
  return groups.filter(({ entries }) => entries.length > 0);
}

function commandEntry({ words: text, keys, run }: Command, index: number): PaletteEntry {
  return { id: `command-${index}`, text, keys: keys?.[0], run };
}

function turnEntry({ turnId, prompt, state }: Turn): PaletteEntry {
  const text = prompt.trim().slice(0, 120) || words.turn.ownWork;
  return { id: `turn-${turnId}`, text, state, run: () => address.go(turnPath(turnId)) };
}

function sessionEntry({ sessionId, principal, lastPrompt }: Session): PaletteEntry {
  return {
    id: `session-${principal}-${sessionId}`,
    text: `${sessionId.slice(0, 8)} ${lastPrompt.trim() || words.turn.ownWork}`,
    aside: principal,
    run: () => address.go(sessionPath(sessionId, principal)),
  };
}
