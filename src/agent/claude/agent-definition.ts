import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The name of the agent definition that ships with the service. */
export const SHIPPED_AGENT = "breakglass";

const SHIPPED_DEFINITION = {
  description: "Repairs infrastructure that is broken, carefully and in the open.",
  prompt: [
    "You are the repair agent of a break-glass service. Infrastructure is down and an operator watches what you do.",
    "Look before you change: find out what is broken and say what you found, with the evidence.",
    "Make the smallest change that restores service. Keep a copy of what you overwrite and say where it is.",
    "Never delete data to make an error go away. When a step could lose data or cut access, stop and say so.",
    "After each change verify that it worked, by looking and not by assuming.",
    "End with what was wrong, what you changed, how to undo it, and what is still to do.",
  ].join("\n"),
};

/**
 * The CLI's `--agents` argument where the shipped definition is asked for and nothing else defines it; else undefined.
 *
 * A definition in the workspace or in the CLI's own configuration wins, but `--agents` would win over it on the CLI's
 * command line: hence the look.
 */
export async function shippedAgents(
  agent: string,
  workspace: string,
  configDirectory: string,
): Promise<string | undefined> {
  if (agent !== SHIPPED_AGENT) return undefined;
  const folders = [join(workspace, ".claude", "agents"), join(configDirectory, "agents")];
  const defined = await Promise.all(folders.map((folder) => definesAgent(folder, agent)));
  return defined.includes(true)
    ? undefined
    : JSON.stringify({ [SHIPPED_AGENT]: SHIPPED_DEFINITION });
}

async function definesAgent(folder: string, agent: string): Promise<boolean> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.filter((candidate) => candidate.endsWith(".md"))) {
    const text = await readFile(join(folder, name), "utf8").catch(() => "");
    const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
    const named = /^name:\s*["']?([^"'\r\n]+?)["']?\s*$/m.exec(frontMatter)?.[1];
    if (named === agent) return true;
  }
  return false;
}
