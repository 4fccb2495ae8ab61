import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { agentEnvironment } from "../../src/agent/claude/environment.ts";
import { searchedFolders } from "../../src/agent/environment.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { collect } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import {
  createTestEnvironment,
  SCRIPTED_AGENT,
  type TestEnvironment,
} from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

/** Before the folders that have the programs, those that are the directory of whoever looks. */
const OPEN_PATH = ["", ".", "bin", "./bin", dirname(process.execPath), "/usr/bin", "/bin"];

let environment: TestEnvironment;
let root: string;
beforeEach(async () => {
  environment = await createTestEnvironment();
  root = environment.root;
  await mkdir(join(root, "bin"));
  // By `#!/usr/bin/env node`, whose node is looked for in the workspace too.
  await symlink(SCRIPTED_AGENT, join(root, "bin", "claude"));
});
afterEach(() => environment[Symbol.asyncDispose]());

/** Runs a turn, has its workspace hold programs by the names that are looked for, and runs another. */
async function lastOfTrapped(url: string) {
  using connection = connect(url);
  const { client } = connection;
  const [first] = await collect(client.runTurn({ prompt: "say hi" }));
  const { sessionId } = first!;
  const sessions = join(environment.variables.BREAKGLASS_DATA_DIR!, "sessions");
  const [workspace] = readdirSync(sessions);
  const traps = ["claude", "node", "bin/claude", "bin/node", "sh", "bin/sh"];
  await mkdir(join(sessions, workspace!, "bin"));
  for (const name of traps) {
    const path = join(sessions, workspace!, name);
    await writeFile(path, `#!/bin/sh\necho ${name} >> ${root}/trapped\nexit 3\n`, { mode: 0o755 });
  }
  const events = await collect(client.runTurn({ sessionId, prompt: "say again" }));
  expect(existsSync(join(root, "trapped"))).toBe(false);
  return events.at(-1)!.kind;
}

describe("the agent's program", () => {
  it("by its name is one of PATH's absolute folders, and its interpreter too", async () => {
    const { variables } = environment;
    const PATH = [...OPEN_PATH.slice(0, 4), join(root, "bin"), ...OPEN_PATH.slice(4)].join(
      delimiter,
    );
    await using server = await startServeProcess({
      ...variables,
      PATH,
      BREAKGLASS_AGENT_COMMAND: "claude",
    });
    expect(await lastOfTrapped(server.url)).toMatchObject({ case: "result" });
  });

  it("by a relative path is one of the directory that the server was started in", async () => {
    const { variables } = environment;
    const settings = { ...variables, BREAKGLASS_AGENT_COMMAND: "bin/claude" };
    await using server = await startServeProcess(settings, ["/usr/bin/env", "-C", root]);
    expect(await lastOfTrapped(server.url)).toMatchObject({ case: "result" });
    for (const written of ["bin/claude", "./bin/claude", "bin/../bin/claude"]) {
      const { agentCommand } = readServeConfig({ BREAKGLASS_AGENT_COMMAND: written });
      expect(relative(process.cwd(), agentCommand!)).toBe("bin/claude");
    }
  });

  it("by a name that is missing is told of by the turn, and can be installed without a restart", async () => {
    const PATH = [...OPEN_PATH, join(root, "later")].join(delimiter);
    await using server = await startTestServer({ PATH, BREAKGLASS_AGENT_COMMAND: "the-agent" });
    using connection = connect(server.url);
    const last = async () =>
      (await collect(connection.client.runTurn({ prompt: "say hi" }))).at(-1)?.kind;
    expect(await last()).toMatchObject({
      case: "error",
      value: {
        reason: ErrorReason.AGENT_NOT_FOUND,
        message: expect.stringMatching(/^the-agent was not found\. Install/),
      },
    });
    // A folder of that name is no program.
    await mkdir(join(root, "later", "the-agent"), { recursive: true });
    expect(await last()).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.AGENT_NOT_FOUND },
    });
    await rm(join(root, "later", "the-agent"), { recursive: true });
    await symlink(SCRIPTED_AGENT, join(root, "later", "the-agent"));
    expect(await last()).toMatchObject({ case: "result" });
  });

  it("that others can change is warned of, once", async () => {
    const program = join(root, "agent");
    await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${SCRIPTED_AGENT} "$@"\n`);
    await chmod(program, 0o777);
    await using server = await startTestServer({ BREAKGLASS_AGENT_COMMAND: program });
    using connection = connect(server.url);
    for (let turn = 0; turn < 2; turn++)
      await collect(connection.client.runTurn({ prompt: "say hi" }));
    const said = server.log.filter((line) => line.includes("others can change what is run"));
    expect(said.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        level: "warn",
        executable: program,
        mend: `chmod go-w ${program}`,
      }),
    ]);
  });
});

describe("the agent's PATH", () => {
  const pathOf = (path?: string) => agentEnvironment({ PATH: path }, []).PATH;

  it("has no folder that is the directory of whoever looks", () => {
    expect(pathOf(OPEN_PATH.join(delimiter))).toBe(OPEN_PATH.slice(4).join(delimiter));
    expect(pathOf("/bin:")).toBe("/bin");
    expect(searchedFolders(":.:..:bin:~/bin")).toEqual([]);
  });

  it.each([undefined, "", ":", ".", "bin:."])(
    "is none at all where nothing of %j is left: an empty one is the workspace",
    (path) => {
      expect(pathOf(path)).toBeUndefined();
    },
  );
});
