import { SvelteSet } from "svelte/reactivity";
import { combinationOf, isOfCharacters, isTyped } from "../ui/key-combinations.ts";

/** Something that can be done here and now: by its keys, and by its words in the palette. */
export interface Command {
  /** What it does, for a person. */
  readonly words: string;
  /**
   * The keys that do it, each enough: `n`, `?`, `Enter`, `g d` for one after the other, `mod+k` with Ctrl or, on a Mac, Cmd. None: only the
   * palette does it.
   */
  readonly keys?: readonly string[];
  readonly run: () => void;
  /** It is everywhere, and not of the view that is shown. */
  readonly isGlobal?: boolean;
  /** The palette does not offer it: it is about where one stands, as a step to the next row. */
  readonly isOnlyKeys?: boolean;
}

const SETTING = "breakglass.single-keys";
/** How long the first key of two is waited with. */
const SECOND_KEY_MS = 1200;

/**
 * What the keys do that are pressed outside of fields.
 *
 * 1. Of two commands with the same keys the one that came last is done: that of the view, not of the frame.
 * 2. Keys without Ctrl or Cmd do nothing where somebody types, or where a dialog or a menu has the keys.
 * 3. Keys of characters alone can be turned off (WCAG 2.1.4).
 */
export class Keys {
  readonly #shown = new SvelteSet<readonly Command[]>();
  #areSingleOn = $state(readSetting());
  #first = "";
  #firstAt = 0;

  /** All that can be done now, the newest first. */
  readonly commands = $derived(withoutHidden([...this.#shown].reverse().flat()));

  get areSingleOn(): boolean {
    return this.#areSingleOn;
  }

  set areSingleOn(isOn: boolean) {
    this.#areSingleOn = isOn;
    try {
      if (isOn) localStorage.removeItem(SETTING);
      else localStorage.setItem(SETTING, "off");
    } catch {}
  }

  /** Offers commands until what it answers is called. */
  add(commands: readonly Command[]): () => void {
    this.#shown.add(commands);
    return () => this.#shown.delete(commands);
  }

  /** Does what a key that was pressed stands for, if it stands for something. */
  readonly heed = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    const combination = combinationOf(event);
    if (combination === undefined) return;
    const isPlain = !combination.startsWith("mod+");
    if (isPlain && isTyped(event.target)) return; // 2.
    const both = this.#takeFirst(event.timeStamp, combination);
    const command = this.#commandOf(both) ?? this.#commandOf(combination);
    if (command !== undefined) {
      event.preventDefault();
      this.#first = "";
      command.run();
    }
  };

  #takeFirst(at: number, combination: string): string {
    const isSecond = this.#first !== "" && at - this.#firstAt < SECOND_KEY_MS;
    const both = isSecond ? `${this.#first} ${combination}` : combination;
    this.#first = combination;
    this.#firstAt = at;
    return both;
  }

  #commandOf(keys: string): Command | undefined {
    if (!this.#areSingleOn && isOfCharacters(keys)) return undefined; // 3.
    return this.commands.find((command) => command.keys?.includes(keys)); // 1.
  }
}

/** Without those all of whose keys do something else here. */
function withoutHidden(commands: readonly Command[]): readonly Command[] {
  const taken = new Set<string>();
  return commands.filter(({ keys: own = [] }) => {
    const isHidden = own.length > 0 && own.every((one) => taken.has(one));
    for (const one of own) taken.add(one);
    return !isHidden;
  });
}

/** The page's. */
export const keys = new Keys();

/** Offers commands for as long as the component is shown that calls this while it is made. */
export function useKeys(commands: () => readonly Command[]): void {
  $effect(() => keys.add(commands()));
}

function readSetting(): boolean {
  try {
    return localStorage.getItem(SETTING) !== "off";
  } catch {
    return true;
  }
}
