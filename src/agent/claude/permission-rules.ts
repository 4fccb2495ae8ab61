import { readFileSync } from "node:fs";
import { ConfigError } from "../../config.ts";

/** What tools may do or not, before anyone is asked, in the CLI's own rule syntax: `Bash(git status:*)`. */
export interface PermissionRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Nothing is allowed or denied beforehand. */
export const NO_RULES: PermissionRules = { allow: [], deny: [] };

/** A tool's name, perhaps with what its input has to be like. */
const LINE = /^(allow|deny)\s+([A-Za-z_][\w.:*-]*(?:\(.+\))?)$/;

/**
 * Reads a file with a line each: `allow RULE` or `deny RULE`. Empty lines and lines that begin with # say nothing.
 *
 * @throws ConfigError that names the line to mend.
 */
export function readRules(path: string): PermissionRules {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code;
    throw new ConfigError(
      `BREAKGLASS_RULES_FILE is ${JSON.stringify(path)}, which cannot be read: ${why}`,
    );
  }
  const rules = { allow: [] as string[], deny: [] as string[] };
  for (const [index, written] of text.split("\n").entries()) {
    const line = written.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, kind, rule] = LINE.exec(line) ?? [];
    if (kind === undefined || rule === undefined) {
      throw new ConfigError(
        `BREAKGLASS_RULES_FILE is ${JSON.stringify(path)}, whose line ${index + 1} is ${JSON.stringify(line)}, but takes allow or deny and a rule, such as deny Bash(rm:*)`,
      );
    }
    rules[kind as "allow" | "deny"].push(rule);
  }
  return rules;
}
