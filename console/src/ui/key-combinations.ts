const isMac = /mac|iphone|ipad/i.test(globalThis.navigator?.userAgent ?? "");

/** Where keys are written, or are those of what has the focus. */
const TYPED =
  'textarea, select, [contenteditable=""], [contenteditable="true"], [role="dialog"], [role="alertdialog"], [role="menu"], [role="listbox"]';
const FIELD = "input:not([type=checkbox], [type=radio], [type=button], [type=submit])";

/** What was pressed, as commands name it: `j`, `?`, `mod+k`, `Enter`. Undefined: a combination that is the browser's, or none. */
export function combinationOf(event: KeyboardEvent): string | undefined {
  const { key } = event;
  if (["Shift", "Control", "Alt", "Meta", "AltGraph", "Dead", "Unidentified"].includes(key))
    return undefined;
  // With AltGr characters are written, and Windows tells of it as Ctrl and Alt.
  if (event.getModifierState("AltGraph")) return key;
  const isMod = isMac ? event.metaKey : event.ctrlKey;
  const isOther = event.altKey || (isMac ? event.ctrlKey : event.metaKey);
  if (isOther) return undefined;
  const shift = event.shiftKey && (isMod || key.length > 1) ? "shift+" : "";
  return isMod ? `mod+${shift}${key.toLowerCase()}` : shift + key;
}

/** Whether what has the focus takes keys as text, or has a meaning of its own for them. */
export function isTyped(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return target.matches(FIELD) || target.closest(TYPED) !== null;
}

/** Whether it is made of characters alone, without Ctrl or Cmd: what speech or a slip can press. */
export function isOfCharacters(keys: string): boolean {
  return keys.split(" ").every((key) => [...key].length === 1);
}

/** The keys of a combination as they are written on a keyboard: `["Ctrl", "K"]`. */
export function keyCaps(combination: string): string[] {
  return combination.split("+").map((part) => {
    if (part === "mod") return isMac ? "⌘" : "Ctrl";
    if (part === "shift") return "⇧";
    if (part === "ArrowDown") return "↓";
    if (part === "ArrowUp") return "↑";
    if (part === "Escape") return "Esc";
    return combination.startsWith("mod+") && part.length === 1 ? part.toUpperCase() : part;
  });
}
