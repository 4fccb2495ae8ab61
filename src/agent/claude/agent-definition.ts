import type { Dirent } from "node:fs";
import { constants, open, opendir } from "node:fs/promises";
import { join } from "node:path";
import { throwExhaustion } from "../../exhaustion.ts";

const MAX_DEFINITIONS = 200;
const MAX_DEPTH = 4;
/** What a definition says of itself is at its top. */
const MAX_DEFINITION_BYTES = 64 * 1024;

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
 * command line: hence the look. It holds one descriptor at a time.
 *
 * @throws Error where there is no descriptor left to look with.
 */
export async function shippedAgents(
  agent: string,
  workspace: string,
  configDirectory: string,
): Promise<string | undefined> {
  if (agent !== SHIPPED_AGENT) return undefined;
  const folders = [join(workspace, ".claude", "agents"), join(configDirectory, "agents")];
  for (const folder of folders) {
    if (await definesAgent(folder, agent)) return undefined;
  }
  return JSON.stringify({ [SHIPPED_AGENT]: SHIPPED_DEFINITION });
}

async function definesAgent(folder: string, agent: string): Promise<boolean> {
  for (const path of await definitionPaths(folder, 0)) {
    const text = await readDefinition(path).catch(noText);
    const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1] ?? "";
    const named = /^name:\s*["']?([^"'\r\n]+?)["']?\s*$/m.exec(frontMatter)?.[1];
    if (named === agent) return true;
  }
  return false;
}

/** Agents can write here: the search is bounded in depth and number. */
async function definitionPaths(folder: string, depth: number): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await listFolder(folder)) {
    if (paths.length >= MAX_DEFINITIONS) break;
    const path = join(folder, entry.name);
    if (entry.isFile()) paths.push(path);
    else if (depth < MAX_DEPTH) paths.push(...(await definitionPaths(path, depth + 1)));
  }
  return paths.slice(0, MAX_DEFINITIONS);
}

/** The definitions and folders in a folder, bounded in number; it is closed before they are looked into. */
async function listFolder(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      if (entries.length >= MAX_DEFINITIONS) break;
      const isDefinition = entry.isFile() && entry.name.endsWith(".md");
      if (isDefinition || entry.isDirectory()) entries.push(entry);
    }
  } catch (error) {
    throwExhaustion(error);
  }
  return entries;
}

function noText(error: unknown): string {
  throwExhaustion(error);
  return "";
}

/** Agents can write here: a pipe in a file's place must not be waited for, nor an endless one be read. */
async function readDefinition(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!(await file.stat()).isFile()) return "";
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_DEFINITION_BYTES), 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
