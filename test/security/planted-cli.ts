import { mkdirSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { readTurnEvents } from "#client";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { bash, type Script, say, tool } from "../../src/drill/script.ts";
import { type RealCli, startRealCli } from "../e2e/real-cli.ts";
import { valuesOf } from "../support/events.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import { eventually } from "../support/processes.ts";
import type { Ground } from "./planted.ts";

/** The versions of the CLI that are installed, and their programs. */
export const VERSIONS: Readonly<Record<string, string>> = Object.fromEntries(
  INSTALLED_CLIS.map(({ version, command }) => [version, command]),
);
export type Version = string;
type Request = MessageInitShape<typeof RunTurnRequestSchema>;

/** What the model has the CLI do, by a word of the prompt. */
export const SCRIPT: Script = [
  {
    when: "repair",
    steps: [
      bash("ls"),
      bash("git diff; git status"),
      tool("Skill", { skill: "evil" }),
      bash("touch repaired"),
      say("Done."),
    ],
  },
  { when: "touch", steps: [bash("touch touched"), say("Touched.")] },
  { when: "rules", steps: [bash("date"), bash("uname"), bash("git status"), say("Ruled.")] },
  { when: () => true, steps: [say("Hello.")] },
];

/** The program of a version. */
export function commandOf(version: Version): string {
  return VERSIONS[version]!;
}

/** A real CLI with a session, and where things can be planted for its next process. */
export interface Planted extends AsyncDisposable {
  readonly real: RealCli;
  readonly ground: Ground;
  /** The session's first turn. */
  readonly first: readonly TurnEvent[];
  /** Resolves once no CLI runs: one that ends writes its state once more, over what is planted there. */
  atRest(): Promise<void>;
  /** Runs a turn of the session to its end, and denies what it asks. */
  run(request: Request): Promise<TurnEvent[]>;
}

/** Starts it, and runs the session's first turn, in the mode ASK. */
export async function startPlanted(
  version: Version,
  settings: Readonly<Record<string, string>> = {},
  request: Request = { prompt: "hello" },
): Promise<Planted> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-planted-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const real = cleanup.use(
    await startRealCli(SCRIPT, {
      PATH: `bin:${process.env.PATH}`,
      BREAKGLASS_AGENT_COMMAND: commandOf(version),
      BREAKGLASS_SESSIONS_DIR: join(root, "sessions"),
      // A process a turn: what is planted in between is there when it starts.
      BREAKGLASS_MAX_WARM_PROCESSES: "0",
      ...settings,
    }),
  );
  const first = await runDenied(real, { permissionMode: PermissionMode.ASK, ...request });
  const [{ agentSessionId } = { agentSessionId: "" }] = valuesOf(first, "session");
  const { sessionId } = first[0]!;
  const workspace = join(root, "sessions", readdirSync(join(root, "sessions"))[0]!);
  const marks = join(root, "marks");
  mkdirSync(marks);
  const owned = cleanup.move();
  return {
    real,
    ground: { workspace, configDir: real.configDir, agentSessionId, marks },
    first,
    async atRest() {
      expect(await eventually(real.agents, ({ length }) => length === 0)).toEqual([]);
    },
    run: (request) => runDenied(real, { sessionId, ...request }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function runDenied({ client }: RealCli, run: Request): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  for await (const event of readTurnEvents(client, { run })) {
    events.push(event);
    if (event.kind.case !== "approvalRequest") continue;
    const { approvalId } = event.kind.value;
    const decision = { case: "deny", value: { message: "no" } } as const;
    await client.resolveApproval({ turnId: event.turnId, approvalId, decision });
  }
  return events;
}

/** The shell commands that were asked about. */
export function askedOf(events: readonly TurnEvent[]): string[] {
  return valuesOf(events, "approvalRequest").map(
    ({ inputJson }) => (JSON.parse(inputJson) as { command?: string }).command ?? inputJson,
  );
}
