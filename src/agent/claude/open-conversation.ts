import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { Environment } from "../../config/environment.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import type { TraceContext } from "../../trace-context.ts";
import type { ProcessMemory } from "../agent-memory.ts";
import { traceVariables } from "../environment.ts";
import { noticeEvent } from "../events.ts";
import type { Executable } from "../executable.ts";
import { AgentProcess, type ProcessSurroundings } from "../process/agent-process.ts";
import { openWorkspace } from "../process/workspace.ts";
import { agentsArgument } from "./agent-definition.ts";
import { claudeArguments, isUntrusting, type ToolLimits } from "./command-line.ts";
import { configDirectory, removeLeftCommands, removeStateVariables } from "./config-directory.ts";
import { Conversation, type ConversationStart } from "./conversation.ts";
import { agentEnvironment, untrustingEnvironment } from "./environment.ts";
import { controlRequest } from "./input-lines.ts";
import type { LongLines } from "./long-lines.ts";

/** What conversations are begun with. */
export interface ConversationSurroundings {
  readonly processes: ProcessSurroundings;
  readonly executable: Executable;
  readonly longLines: LongLines;
  /** The server's environment, of which the agent gets the allow-list's part. */
  readonly environment: Environment;
  /** Further names to pass. */
  readonly passedNames: readonly string[];
  /** Arguments before those of the CLI, for an executable that is not the CLI itself. */
  readonly leadingArguments: readonly string[];
  /** As they are now; a process keeps those that it was started with. */
  readonly tools: ToolLimits;
  readonly trees: TreeRemovals;
}

/** What a conversation is begun for. */
export interface ConversationOpening extends Omit<ConversationStart, "rules" | "longLines"> {
  /** All that is kept on the process's behalf counts in it. Whoever opens the conversation closes it. */
  readonly memory: ProcessMemory;
  /** As in `AgentTurn`. */
  readonly trace?: TraceContext | undefined;
}

/**
 * Starts a process of the CLI, once it is recorded that there is to be one.
 *
 * @throws WorkspaceError; DefinitionRefusal where the agent's definition cannot be used; what the registry throws; Error
 * where there is no descriptor left to look with.
 */
export async function openConversation(
  { memory, trace, ...opening }: ConversationOpening,
  surroundings: ConversationSurroundings,
): Promise<Conversation> {
  const { setup, mode, sessionKey, idleEvents } = opening;
  const { workspace, agent, agentSessionId } = setup;
  const { environment, executable, leadingArguments, processes, tools, longLines, trees } =
    surroundings;
  const { rules } = tools;
  await using workspaceDirectory = await openWorkspace(workspace);
  const directory = configDirectory(environment);
  const untrusting = isUntrusting(mode, tools);
  const definition = await agentsArgument(agent, workspace, directory, untrusting);
  if (definition.warning !== undefined) {
    idleEvents.keep([noticeEvent(NoticeReason.AGENT_WARNING, definition.warning)]);
  }
  if (untrusting) {
    await removeLeftCommands(directory, agentSessionId, trees, processes.user);
    await removeStateVariables(environment, processes.user);
  }
  const program = {
    path: executable.find(),
    args: [
      ...leadingArguments,
      ...claudeArguments(setup, opening.opening, mode, { ...tools, rules }, definition.agents),
    ],
    cwd: workspaceDirectory.place(),
    env: { ...environmentFor(mode, surroundings), ...traceVariables(trace) },
    stopRequest: controlRequest("stop", { subtype: "interrupt" }),
  };
  const start = { sessionKey, workspace, program, memory };
  const begun = { ...opening, rules, longLines };
  return await AgentProcess.start(start, processes, (it) => new Conversation(it, begun));
}

function environmentFor(
  mode: PermissionMode,
  { environment, passedNames, tools }: ConversationSurroundings,
): Record<string, string> {
  const whole = agentEnvironment(environment, passedNames);
  return isUntrusting(mode, tools) ? untrustingEnvironment(whole) : whole;
}
