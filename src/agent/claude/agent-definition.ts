import type { Dirent } from "node:fs";
import { constants, open, opendir } from "node:fs/promises";
import { join } from "node:path";
import { throwExhaustion } from "../../exhaustion.ts";
import { OpenDirectory } from "../../files/open-directory.ts";
import {
  type AgentDefinition,
  type DefinitionText,
  parseDefinition,
  readDefinition,
} from "./definition-file.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";

const MAX_DEFINITIONS = 200;
const MAX_DEPTH = 4;
const MAX_DEFINITION_BYTES = 64 * 1024;
/** One argument of a process has less than 128 KiB on Linux, with the NUL at its end. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

/** The name of the agent definition that ships with the service. */
export const SHIPPED_AGENT = "breakglass";

const SHIPPED_DEFINITION: AgentDefinition = {
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

/** What the CLI is told of the agent on its command line. */
export interface AgentsArgument {
  /** The argument of `--agents`. Undefined: none, the CLI finds the agent itself. */
  readonly agents?: string;
  /** What a definition says and is not taken over, for a person. */
  readonly warning?: string;
}

/**
 * What the CLI is to be told of an agent: nothing where it reads the definition itself, the shipped one where nobody else
 * defines that name, and where it reads none of the two places, the part of the definition that cannot run or allow anything.
 *
 * A definition in the workspace wins over one in the CLI's configuration, and that over the shipped one. `--agents` would
 * win over all of them on the CLI's command line: hence the look.
 *
 * @param isHidden - The CLI reads no definitions.
 * @throws DefinitionRefusal, only where `isHidden`; Error where there is no descriptor left to look with.
 */
export async function agentsArgument(
  agent: string,
  workspace: string,
  configDirectory: string,
  isHidden: boolean,
): Promise<AgentsArgument> {
  if (agent !== SHIPPED_AGENT && !isHidden) return {};
  const folders = [join(workspace, ".claude", "agents"), join(configDirectory, "agents")] as const;
  const file =
    (await findDefinition(agentsOf(workspace), folders[0], agent)) ??
    (await findDefinition(OpenDirectory.at(folders[1]), folders[1], agent));
  if (file === undefined) {
    return agent === SHIPPED_AGENT ? { agents: jsonOf(agent, SHIPPED_DEFINITION) } : {};
  }
  return isHidden ? handedOver(agent, file) : {};
}

function handedOver(agent: string, { path, text, isWhole }: DefinitionFile): AgentsArgument {
  if (!isWhole) {
    throw new DefinitionRefusal(
      `The agent definition ${path} has more than ${MAX_DEFINITION_BYTES} bytes. Shorten it, or ask for another agent.`,
    );
  }
  const { definition, left } = parseDefinition(path, text);
  const agents = jsonOf(agent, definition);
  if (Buffer.byteLength(agents) > MAX_ARGUMENT_BYTES) {
    throw new DefinitionRefusal(
      `The agent definition ${path} has more than ${MAX_ARGUMENT_BYTES} bytes as an argument of the CLI. Shorten it, or ask for another agent.`,
    );
  }
  if (left.length === 0) return { agents };
  const warning = `Of the agent definition ${path} this is not taken over in the mode ASK: ${left.join(", ")}`;
  return { agents, warning };
}

function jsonOf(agent: string, definition: AgentDefinition): string {
  return JSON.stringify({ [agent]: definition });
}

interface DefinitionFile {
  readonly path: string;
  readonly text: DefinitionText;
  /** Whether all of it was read: it is not too large. */
  readonly isWhole: boolean;
}

/** The agent can write there: no link is followed. */
async function agentsOf(workspace: string): Promise<OpenDirectory> {
  await using directory = await OpenDirectory.open(workspace);
  await using settings = await directory.openDirectory(".claude");
  return await settings.openDirectory("agents");
}

/** A folder of definitions, and what it is called in words. */
interface DefinitionFolder {
  readonly directory: OpenDirectory;
  readonly path: string;
  readonly depth: number;
}

async function findDefinition(
  opening: Promise<OpenDirectory>,
  path: string,
  agent: string,
): Promise<DefinitionFile | undefined> {
  await using directory = await opening.catch(nothing);
  if (directory === undefined) return undefined;
  return await searchFolder({ directory, path, depth: 0 }, agent, { left: MAX_DEFINITIONS });
}

/** Agents can write here: the search is bounded in depth and number. It holds a descriptor for each folder on the way. */
async function searchFolder(
  { directory, path, depth }: DefinitionFolder,
  agent: string,
  search: { left: number },
): Promise<DefinitionFile | undefined> {
  for (const entry of await listFolder(directory.place())) {
    if (search.left-- <= 0) return undefined;
    const place = { path: join(path, entry.name), depth: depth + 1 };
    if (entry.isFile()) {
      const read = await readBounded(directory.place(entry.name)).catch(nothing);
      const text = readDefinition(read ?? "");
      const isWhole = Buffer.byteLength(read ?? "") <= MAX_DEFINITION_BYTES;
      if (text.name === agent) return { path: place.path, text, isWhole };
    } else if (depth < MAX_DEPTH) {
      await using inner = await directory.openDirectory(entry.name).catch(nothing);
      const found = inner && (await searchFolder({ ...place, directory: inner }, agent, search));
      if (found !== undefined) return found;
    }
  }
  return undefined;
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

/** What cannot be opened is not there, but where there was no descriptor to open it with. */
function nothing(error: unknown): undefined {
  throwExhaustion(error);
}

/** Agents can write here: a pipe in a file's place must not be waited for, nor more than a byte too many of an endless one be read. */
async function readBounded(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    if (!(await file.stat()).isFile()) return "";
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_DEFINITION_BYTES + 1), 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}
