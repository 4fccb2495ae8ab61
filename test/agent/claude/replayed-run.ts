import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { ClaudeAgent } from "../../../src/agent/claude/claude-agent.ts";
import { createProcesses } from "../../../src/agent/process/processes.ts";
import { createLog } from "../../../src/log.ts";
import { createTestEnvironment } from "../../support/test-environment.ts";
import type { Transcript } from "./transcript.ts";

/** Takes the CLI's place: prints, once it has a prompt, what lies in its workspace, and exits as is written there. */
const PROGRAM = `#!/bin/sh
echo "$@" >>started
read -r prompt
cat printed
cat stderr >&2
[ -s signal ] && kill -s "$(cat signal)" $$
exit "$(cat status)"
`;

/** A recorded run of the CLI as it comes out of the adapter, by way of a process, when it is run again. */
export interface ReplayedRun {
  readonly events: readonly EventKind[];
  /** The CLI's id of the conversation. Undefined: it gave none. */
  readonly agentSessionId: string | undefined;
  /** How often a process was started. */
  readonly starts: number;
}

/** Replays recorded runs, one at a time. */
export interface Replays extends AsyncDisposable {
  replay(transcript: Transcript): Promise<ReplayedRun>;
}

export async function createReplays(): Promise<Replays> {
  const { root, variables, ...environment } = await createTestEnvironment();
  const command = join(root, "claude");
  await writeFile(command, PROGRAM);
  await chmod(command, 0o700);
  const conversations = join(root, ".claude", "projects", "recorded");
  await mkdir(conversations, { recursive: true });
  const agent = new ClaudeAgent({
    command,
    environment: variables,
    passedNames: [],
    maxEventBytes: 3 * 1024 * 1024,
    processes: createProcesses({
      registry: { recordProcess: async () => {}, recordProcessGone: async () => {} },
      ...{ log: createLog(() => {}), maxLineBytes: 16 * 1024 * 1024, cgroups: false },
    }),
    defaults: { agent: "", model: "" },
    maxWarmProcesses: 0,
    warmMs: 0,
    spares: { count: 0, mode: PermissionMode.BYPASS },
    trustsWorkspace: true,
    rules: { allow: [], deny: [] },
  });
  return {
    replay: async (transcript) => {
      const { resumed, resumedId } = transcript;
      const agentSessionId = (resumed && resumedId) || randomUUID();
      const workspace = join(root, randomUUID());
      await mkdir(workspace);
      await putDown(transcript, workspace);
      if (resumed) await writeFile(join(conversations, `${agentSessionId}.jsonl`), "");
      const run = agent.start({
        ...{ turnId: randomUUID(), sessionKey: randomUUID(), workspace, agentSessionId },
        ...{ prompt: "go", images: [], files: [], model: "m", agent: transcript.agent },
        permissionMode: PermissionMode.BYPASS,
      });
      const events = (await Array.fromAsync(run.events)).flat();
      const cameUp = events.some((event) => event.case === "session");
      const isSame = run.agentSessionId === agentSessionId && !(cameUp && resumed);
      const given = isSame ? undefined : run.agentSessionId;
      const starts = (await readFile(join(workspace, "started"), "utf8")).trim().split("\n").length;
      return { events, agentSessionId: given, starts };
    },
    async [Symbol.asyncDispose]() {
      await agent.closeIdle();
      await environment[Symbol.asyncDispose]();
    },
  };
}

async function putDown(transcript: Transcript, workspace: string): Promise<void> {
  const { lines, stderr, exitCode, signal } = transcript;
  const printed = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
  const files = { printed, stderr, status: String(exitCode ?? 0), signal: signal?.slice(3) ?? "" };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(workspace, name), content);
  }
}
