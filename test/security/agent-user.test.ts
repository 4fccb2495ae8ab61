import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { curl, openClient, runCommand } from "../support/operator.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const isRoot = process.getuid?.() === 0;
const why = isRoot ? "" : " (not here: it takes root to run agents as another user)";
const USER = "nobody";
const UID = 65_534;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-user-"));
  await chmod(folder, 0o711);
});
afterEach(() => rm(folder, { recursive: true }));

/** Variables of a server whose agents are another user's. */
async function settings(more: Readonly<Record<string, string>> = {}) {
  const config = join(folder, "claude");
  await mkdir(config, { mode: 0o700 });
  await runCommand(`chown ${USER} ${config}`);
  return {
    BREAKGLASS_AGENT_USER: USER,
    BREAKGLASS_DATA_DIR: join(folder, "data"),
    CLAUDE_CONFIG_DIR: config,
    NODE_DISABLE_COMPILE_CACHE: "1",
    ...more,
  };
}

async function printed(server: TestServer, steps: string, token?: string): Promise<string> {
  using open = openClient(server.url, token);
  const events = await collect(open.client.runTurn({ prompt: `${steps}\nresult` }));
  const errors = valuesOf(events, "error").map(({ message, stderrTail }) => message + stderrTail);
  const results = valuesOf(events, "toolResult").map(({ content }) => content);
  return [...results, ...errors].join("");
}

describe.skipIf(!isRoot)(`an agent that is a user of its own${why}`, () => {
  it("runs as that user, in a workspace of its own, with that user's home and groups", async () => {
    await using server = await startTestServer(await settings());
    const command =
      "id -u; id -g; id -G; pwd; echo $HOME $USER; umask; touch made; stat -c %u . made";
    const [uid, gid, groups, workspace, home, umask, ...owners] = (
      await printed(server, `bash ${command}`)
    )
      .trim()
      .split("\n");
    expect([uid, gid, groups, home]).toEqual(["65534", "65534", "65534", "/nonexistent nobody"]);
    expect(workspace).toMatch(new RegExp(`^${folder}/data/sessions/[0-9a-f-]{36}$`));
    expect(umask).toMatch(/^0?0[02][27]$/);
    expect(owners).toEqual(["65534", "65534"]);
    const status = await printed(
      server,
      "bash grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status",
    );
    expect(status.match(/0{16}/g)).toHaveLength(4);
  });

  it("reads neither tokens, store, local token, environment nor other files of the server", async () => {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine("alices", "alice"), { mode: 0o600 });
    await using environment = await createTestEnvironment(
      await settings({ BREAKGLASS_TOKENS_FILE: tokens, SECRET: "of the server" }),
    );
    await using server = await startServeProcess(environment.variables);
    const data = join(folder, "data");
    await writeFile(join(data, "local-token"), "a".repeat(64), { mode: 0o600 });
    const paths = [tokens, join(data, "breakglass.db"), join(data, "breakglass.db-wal")];
    paths.push(join(data, "local-token"), `/proc/${server.pid}/environ`, `/proc/${server.pid}/mem`);
    for (const path of paths) {
      expect((await readFile(path).catch(() => Buffer.of(1))).length).toBeGreaterThan(0);
      expect(await asked(server.url, `bash cat ${path} 2>&1; ls ${data} 2>&1`)).toMatch(
        /Permission denied[\s\S]*Permission denied/,
      );
    }
    expect(
      await asked(server.url, `bash kill -9 ${server.pid} 2>&1; ls /proc/${server.pid}/fd 2>&1`),
    ).toMatch(/not permitted[\s\S]*Permission denied/);
  });

  it("is looked at as its user too, whose home it reads", async () => {
    const program = join(folder, "program");
    const ran = join(folder, "ran");
    await writeFile(ran, "");
    await chmod(ran, 0o666);
    const text = `#!/bin/sh\necho "$* $(id -u) $(id -G)" >>${ran}\necho 2.1.332\n`;
    await writeFile(program, text, { mode: 0o755 });
    const more = { BREAKGLASS_AGENT_COMMAND: program, ANTHROPIC_API_KEY: "made up" };
    await using server = await startTestServer(await settings(more));
    const body = await eventually(
      async () => (await fetch(`${server.url}/readyz`)).text(),
      (answer) => !answer.includes("not said its version"),
    );
    expect(JSON.parse(body)).toMatchObject({ ready: true });
    expect(await readFile(ran, "utf8")).toBe("--version 65534 65534\n");
  });

  it("is refused as its user, whichever process calls, and with whatever token", async () => {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine("alices", "alice"), { mode: 0o600 });
    await using server = await startTestServer(await settings({ BREAKGLASS_TOKENS_FILE: tokens }));
    const more = "-H 'authorization: Bearer alices'";
    const call = curl(server.url, { method: "ListSessions", body: "{}", more });
    expect(await runCommand(call)).toBe("{}");
    // No process of an agent is there.
    expect(await runCommand(call, UID)).toContain("an agent");
    expect(await printed(server, `bash ${call}`, "alices")).toContain("an agent");
  });

  it("does not connect to the server's socket", async () => {
    const path = join(folder, "socket");
    await using server = await startTestServer(
      await settings({ BREAKGLASS_LISTEN: `unix:${path}` }),
    );
    const call = curl(server.url, { method: "ListSessions", body: "{}" });
    expect(await printed(server, `bash ${call}; echo $?`)).toBe("7\n");
    await server.restart({ BREAKGLASS_SOCKET_MODE: "0660" });
    await runCommand(`chgrp ${UID} ${path}`);
    expect(await printed(server, `bash ${call}`)).toContain("an agent");
  });

  it("has its attachments, and its session is removed with the workspace", async () => {
    await using server = await startTestServer(await settings());
    using open = openClient(server.url);
    const attachments = [
      { name: "notes.txt", mediaType: "text/plain", data: Buffer.from("read me") },
    ];
    const prompt =
      "bash cat attachments-*/notes.txt; echo more >> attachments-*/notes.txt && mkdir a && touch a/b; pwd\nresult";
    const events = await collect(open.client.runTurn({ prompt, attachments }));
    const [, text, workspace = ""] =
      /^(read me)(.*)$/.exec(valuesOf(events, "toolResult")[0]!.content.trim()) ?? [];
    expect(text).toBe("read me");
    expect((await stat(workspace)).uid).toBe(UID);
    const { sessionId } = (await open.client.listSessions({})).sessions[0]!;
    await open.client.deleteSession({ sessionId });
    await expect(stat(workspace)).rejects.toThrow("ENOENT");
  });

  it("is stopped with all that it started, which ignores being asked", async () => {
    await using server = await startTestServer(await settings());
    using open = openClient(server.url);
    const stubborn = `trap "" TERM INT; while :; do sleep 600; done`;
    const stream = open.client.runTurn({
      prompt: `ignore\ndetach ${stubborn}\nchild ${stubborn}\nsay up\nhang`,
    });
    let turnId = "";
    for await (const { event } of stream) {
      turnId = event?.turnId ?? turnId;
      if (event?.kind.case === "text") break;
    }
    expect(server.processes().length).toBeGreaterThanOrEqual(3);
    await open.client.cancelTurn({ turnId });
    expect(server.processes()).toEqual([]);
  });

  it("waits as a spare, and takes a session", async () => {
    const more = { BREAKGLASS_SPARE_PROCESSES: "1", BREAKGLASS_MAX_WARM_PROCESSES: "1" };
    await using server = await startTestServer(await settings(more));
    await eventually(
      () => server.processes(),
      (pids) => pids.length > 0,
    );
    expect(await printed(server, "bash id -u; stat -c %u .")).toBe("65534\n65534\n");
  });

  it("is ended by the next start where the server was killed", async () => {
    await using environment = await createTestEnvironment(await settings());
    const marker = environment.variables[MARKER] ?? "";
    const up = join(folder, "claude", "up");
    {
      await using server = await startServeProcess(environment.variables);
      using open = openClient(server.url);
      void collect(open.client.runTurn({ prompt: `detach touch ${up}; sleep 600\nhang` })).catch(
        () => {},
      );
      await eventually(
        () => stat(up).catch(() => undefined),
        (found) => found !== undefined,
      );
      await server.end("SIGKILL");
    }
    expect(processesWith(MARKER, marker).length).toBeGreaterThan(0);
    await using _ = await startServeProcess(environment.variables);
    expect(
      await eventually(
        () => processesWith(MARKER, marker).length,
        (count) => count === 1,
      ),
    ).toBe(1);
  });

  async function asked(url: string, steps: string): Promise<string> {
    using open = openClient(url, "alices");
    const events = await collect(open.client.runTurn({ prompt: `${steps}\nresult` }));
    return valuesOf(events, "toolResult")
      .map(({ content }) => content)
      .join("");
  }
});

describe("a start is refused in words", () => {
  it.each([
    ["for a user who is not there", "no-such-user", "who is no user of this machine"],
    ["for root", "root", "which is root"],
  ])("%s", async (_, user, words) => {
    await expect(startTestServer({ BREAKGLASS_AGENT_USER: user })).rejects.toThrow(
      `BREAKGLASS_AGENT_USER is "${user}", ${words}`,
    );
  });

  it.skipIf(!isRoot)("where the agents' user cannot pass to the workspaces", async () => {
    await chmod(folder, 0o700);
    await expect(startTestServer(await settings())).rejects.toThrow(`chmod o+x ${folder}`);
  });

  it.skipIf(!isRoot)("where the server may not become another user", async () => {
    await using environment = await createTestEnvironment({ BREAKGLASS_AGENT_USER: "daemon" });
    await runCommand(`chown -R ${UID} ${environment.root}`);
    const as = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
    await expect(startServeProcess(environment.variables, as)).rejects.toThrow("CAP_SETUID");
  });
});
