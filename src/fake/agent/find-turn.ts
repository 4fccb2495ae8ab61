import type { PromptPattern, Script, ScriptedTurn } from "../script.ts";

/** The first turn of a script that is for a prompt, else the one that is for all others. */
export function findTurn({ turns }: Script, prompt: string): ScriptedTurn | undefined {
  return (
    turns.find(({ when }) => when !== undefined && fits(when, prompt)) ??
    turns.find(({ when }) => when === undefined)
  );
}

function fits(pattern: PromptPattern, prompt: string): boolean {
  if ("text" in pattern) return prompt.includes(pattern.text);
  return new RegExp(pattern.source, pattern.flags).test(prompt);
}
