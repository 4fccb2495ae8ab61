import { parse } from "yaml";
import { z } from "zod";
import { DefinitionRefusal } from "./definition-refusal.ts";

/** The part of an agent's definition that cannot run or allow anything. */
export interface AgentDefinition {
  readonly description: string;
  readonly prompt: string;
  /** The tools that it has. Undefined: all. Whether a call is asked about does not depend on it (measured). */
  readonly tools?: readonly string[];
  /** Tools that it does not have. */
  readonly disallowedTools?: readonly string[];
}

/** A file of the CLI's agent definitions, in its parts. */
export interface DefinitionText {
  /** The name that it says it defines. Undefined: it defines none. */
  readonly name: string | undefined;
  /** The front matter, and what stands behind the marks at its end. */
  readonly head: string;
  readonly rest: string;
  /** What comes behind it: the prompt. */
  readonly body: string;
}

const PARTS = /^---\r?\n([\s\S]*?)\r?\n---([^\r\n]*)(?:\r?\n([\s\S]*))?$/;
const NAME = /^name:\s*["']?([^"'\r\n]+?)["']?\s*$/m;

/** As it is written in the CLI's files: with commas, or as a list. `*`: all. */
const tools = z
  .union([z.string().transform(splitTools), z.array(z.string())])
  .nullish()
  .transform((names) => (names == null || names.includes("*") ? undefined : names));

const frontMatter = z.object({
  name: z.string(),
  description: z.string().min(1),
  tools,
  disallowedTools: tools,
});

/** Keys that say nothing of what the agent may do, or that the CLI's arguments decide. */
const SILENT = new Set([...Object.keys(frontMatter.shape), "model", "color"]);

/** Takes such a file apart. What it says beside its name is looked into only where it is to be handed over. */
export function readDefinition(text: string): DefinitionText {
  const [, head = "", rest = "", body = ""] = PARTS.exec(text) ?? [];
  return { name: NAME.exec(head)?.[1], head, rest, body };
}

/**
 * Understands such a file.
 *
 * @returns The definition, and `left`: the keys of the front matter that are not taken over.
 * @throws DefinitionRefusal
 */
export function parseDefinition(
  path: string,
  { head, rest, body }: DefinitionText,
): { readonly definition: AgentDefinition; readonly left: readonly string[] } {
  if (rest.trim() !== "") throw refusal(path, "the front matter does not end with a line of ---");
  const written = parseYaml(path, head);
  const parsed = frontMatter.safeParse(written);
  if (!parsed.success) {
    const { path: at, message } = parsed.error.issues[0]!;
    throw refusal(path, `${at.join(".") || "the front matter"}: ${message}`);
  }
  const prompt = body.trim();
  if (prompt === "") throw refusal(path, "there is no prompt behind the front matter");
  const { description, tools, disallowedTools } = parsed.data;
  const left = Object.keys(written as object).filter((key) => !SILENT.has(key));
  const limits = { ...(tools && { tools }), ...(disallowedTools && { disallowedTools }) };
  return { definition: { description, prompt, ...limits }, left: left.map(shown).slice(0, 20) };
}

/** A value that is no YAML of its own but is common in these files: `description: Use this when: …`. The CLI takes it too. */
const PLAIN_VALUE = /^(\w+): +([^\s"'[{|>&*!%@`#].*)$/gm;

function parseYaml(path: string, head: string): unknown {
  try {
    return parseStrictly(head);
  } catch {}
  try {
    return parseStrictly(
      head.replace(PLAIN_VALUE, (_, key, value) => `${key}: ${JSON.stringify(value)}`),
    );
  } catch (error) {
    throw refusal(path, (error as Error).message.split("\n")[0]!);
  }
}

/** Written by whoever writes to the workspace: aliases could make it grow without end. */
function parseStrictly(head: string): unknown {
  return parse(head, { maxAliasCount: 0, logLevel: "error" });
}

function refusal(path: string, why: string): DefinitionRefusal {
  return new DefinitionRefusal(
    `The agent definition ${path} cannot be used in the mode ASK: ${why}. Mend it, or ask for another agent.`,
  );
}

/** At the commas that are not within parentheses: `Agent(a, b), Bash`. */
function splitTools(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function shown(key: string): string {
  return key.slice(0, 40);
}
