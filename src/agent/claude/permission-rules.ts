import { ConfigError } from "../../config/config-error.ts";
import { readSettingFile } from "../../setting-file.ts";

/** What tools may do or not, before anyone is asked, in the CLI's own rule syntax: `Bash(git status:*)`. */
export interface PermissionRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Nothing is allowed or denied beforehand. */
export const NO_RULES: PermissionRules = { allow: [], deny: [] };

/** A tool's name, perhaps with what its input has to be like. */
const LINE = /^(allow|deny)\s+([A-Za-z_][\w.:*-]*(?:\(.+\))?)$/;

/** What stands around them makes at most 1 KiB more of an argument, which Linux takes below 128 KiB. */
const MAX_RULES_BYTES = 127 * 1024;

/**
 * Reads a file with a line each: `allow RULE` or `deny RULE`. Empty lines and lines that begin with # say nothing.
 *
 * @throws ConfigError that names the line to mend.
 */
export function readRules(path: string): PermissionRules {
  const file = { variable: "BREAKGLASS_RULES_FILE", path, isSecret: false };
  const text = readSettingFile(file).toString("utf8");
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
  const bytes = Buffer.byteLength(JSON.stringify(rules));
  if (bytes > MAX_RULES_BYTES) {
    throw new ConfigError(
      `BREAKGLASS_RULES_FILE is ${JSON.stringify(path)}, whose rules take ${bytes} bytes as an argument of the CLI, which holds ${MAX_RULES_BYTES}`,
    );
  }
  return rules;
}
