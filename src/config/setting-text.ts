import { quantityText } from "./quantity.ts";
import type { Setting } from "./setting.ts";

/** What holds where a setting is unset or empty, in Markdown: "`600` (10 min)". */
export function defaultText(setting: Setting): string {
  if (setting.default === undefined) return setting.unset;
  if (setting.default === "") return "none";
  const { bounds } = setting.kind;
  if (bounds === undefined) return `\`${setting.default}\``;
  return quantityText(Number(setting.default), bounds.unit).replace(/^\d+/, "`$&`");
}

/** What a setting is for, and whether it is a secret, in Markdown. */
export function purposeText({ does, isSecret }: Setting): string {
  return isSecret ? `${does} A secret: it is never printed.` : does;
}
