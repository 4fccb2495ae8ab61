import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { curl, openClient, runCommand } from "../support/operator.ts";
import { NODE_FLAGS, PROGRAM } from "../support/program.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const OTHER = 65_533;
const why = isRoot ? "" : " (not here: it takes root to be another user)";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-local-"));
  await chmod(folder, 0o755);
});
afterEach(() => rm(folder, { recursive: true }));

const tokenPath = (server: TestServer) => join(server.root, "data", "local-token");
const tokenOf = async (server: TestServer) => (await readFile(tokenPath(server), "utf8")).trim();
const listing = (url: string, token?: string) =>
  curl(url, {
    method: "ListSessions",
    body: "{}",
    more: token === undefined ? "" : `-H 'authorization: Bearer ${token}'`,
  });
/** A command line of breakglass, with only those variables. */
const breakglass = (variables: Readonly<Record<string, string>>, args: string) => {
  const set = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
  return `env -i PATH="$PATH" HOME=/nonexistent ${set.join(" ")} ${process.execPath} ${NODE_FLAGS.join(" ")} ${PROGRAM} ${args.replace(";", " 2>&1;")} 2>&1`;
};

describe.skipIf(process.platform !== "linux")("a server without a tokens file", () => {
  it("takes its own user's processes for `local` without a token, and with the right one", async () => {
    await using server = await startTestServer();
    expect(await runCommand(listing(server.url))).toBe("{}");
    expect(await runCommand(listing(server.url, await tokenOf(server)))).toBe("{}");
  });

  it.each(["wrong", "", "a".repeat(64), "Basic eDp5"])(
    "refuses the token %j, also of its own user",
    async (token) => {
      await using server = await startTestServer();
      const answer = await runCommand(listing(server.url, token));
      expect(answer).toContain("unauthenticated");
      expect(answer).toContain("breakglass token local");
    },
  );

  it("keeps the token over restarts, for its user alone", async () => {
    await using server = await startTestServer();
    const before = await tokenOf(server);
    expect((await stat(tokenPath(server))).mode & 0o777).toBe(0o600);
    await server.restart();
    expect(await tokenOf(server)).toBe(before);
    await chmod(tokenPath(server), 0o644);
    await server.restart();
    expect(await tokenOf(server)).not.toBe(before);
    expect((await stat(tokenPath(server))).mode & 0o777).toBe(0o600);
  });

  it("does not start where a link is in the token's place", async () => {
    await using server = await startTestServer();
    await server.drain();
    await rm(tokenPath(server));
    await writeFile(join(folder, "theirs"), "a".repeat(64));
    await symlink(join(folder, "theirs"), tokenPath(server));
    await expect(server.restart()).rejects.toThrow("BREAKGLASS_DATA_DIR");
    await rm(tokenPath(server));
    await server.restart();
  });

  it("does not take the local token from an agent that read it", async () => {
    await using server = await startTestServer();
    const { client, [Symbol.dispose]: close } = openClient(server.url);
    const command = listing(server.url, `$(cat ${tokenPath(server)})`)
      .replaceAll("'authorization: Bearer $(cat", '"authorization: Bearer $(cat')
      .replace(")'", ')"');
    const events = await collect(client.runTurn({ prompt: `bash ${command}\nresult` }));
    expect(valuesOf(events, "toolResult")[0]?.content).toContain("an agent");
    close();
    expect(await runCommand(command)).toContain("sessions");
  });

  it("is called by the commands of its user with its token, and by no other server's", async () => {
    await using server = await startTestServer();
    const data = join(server.root, "data");
    const variables = { BREAKGLASS_DATA_DIR: data, BREAKGLASS_URL: server.url };
    expect(await runCommand(breakglass(variables, "token local"))).toBe(
      `${await tokenOf(server)}\n`,
    );
    expect(await runCommand(breakglass(variables, "sessions; echo $?"))).toMatch(/0\n$/);
    await using other = await startTestServer();
    // What is another server's is not sent: it would be refused.
    const elsewhere = { ...variables, BREAKGLASS_URL: other.url };
    expect(await runCommand(breakglass(elsewhere, "sessions; echo $?"))).toMatch(/0\n$/);
    const wrong = { ...variables, BREAKGLASS_TOKEN: "wins" };
    expect(await runCommand(breakglass(wrong, "sessions; echo $?"))).toMatch(/3\n$/);
    await server.drain();
    expect(
      await runCommand(breakglass({ BREAKGLASS_DATA_DIR: folder }, "token local; echo $?")),
    ).toMatch(/there is no local token in .*2\n$/s);
  });
});

describe.skipIf(!isRoot)(`another user of the machine${why}`, () => {
  it.each([
    ["TCP", "127.0.0.1:0"],
    ["TCP of IPv6", "[::1]:0"],
  ])("is nobody without the local token over %s, and `local` with it", async (_, listen) => {
    await using server = await startTestServer({ BREAKGLASS_LISTEN: listen });
    const answer = await runCommand(listing(server.url), NOBODY);
    expect(answer).toContain("unauthenticated");
    expect(answer).toContain("breakglass token local");
    expect(await runCommand(listing(server.url, await tokenOf(server)), NOBODY)).toBe("{}");
    expect(await runCommand(`cat ${tokenPath(server)}`, NOBODY)).toBe("");
  });

  it("is somebody with a token of the tokens file, as ever", async () => {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine("alices", "alice"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens });
    expect(await runCommand(listing(server.url, "alices"), NOBODY)).toBe("{}");
    expect(await runCommand(listing(server.url))).toContain("unauthenticated");
    await expect(tokenOf(server)).rejects.toThrow("ENOENT");
  });

  it("does not connect to a socket of mode 0600, and is nobody over one of 0660", async () => {
    const path = join(folder, "socket");
    await using server = await startTestServer({ BREAKGLASS_LISTEN: `unix:${path}` });
    expect(await runCommand(`${listing(server.url)}; echo $?`, NOBODY)).toBe("7\n");
    await server.restart({ BREAKGLASS_SOCKET_MODE: "0660" });
    await runCommand(`chgrp ${NOBODY} ${path}`);
    expect(await runCommand(listing(server.url), NOBODY)).toContain("breakglass token local");
    expect(await runCommand(listing(server.url, await tokenOf(server)), NOBODY)).toBe("{}");
    expect(await runCommand(listing(server.url))).toBe("{}");
  });

  it("who is the server's own is `local`, and root is, and a third is not", async () => {
    await using environment = await createTestEnvironment();
    const { root, variables } = environment;
    await runCommand(`chown -R ${NOBODY}:${NOBODY} ${root}`);
    const as = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    await using server = await startServeProcess(variables, as);
    expect(await runCommand(listing(server.url), NOBODY)).toBe("{}");
    expect(await runCommand(listing(server.url))).toBe("{}");
    expect(await runCommand(listing(server.url), OTHER)).toContain("unauthenticated");
    const command = breakglass({ BREAKGLASS_DATA_DIR: join(root, "data") }, "token local");
    expect(await runCommand(command, NOBODY)).toMatch(/^[0-9a-f]{64}\n$/);
    expect(await runCommand(command, OTHER)).toContain("there is no local token");
  });
});
