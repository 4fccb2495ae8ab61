import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Tokens } from "../../src/identity/tokens.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { runCommand, runCommands } from "./run-command.ts";

/** Adds tokens to a file one by one, as the command does. */
const CHANGES = fileURLToPath(new URL("../fixtures/token-changes.ts", import.meta.url));

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-token-"));
  file = join(folder, "tokens");
});
afterEach(() => rm(folder, { recursive: true }));

const token = (...args: string[]) => runCommand(["token", ...args, "--file", file]);
const content = () => readFile(file, "utf8");

describe("token create", () => {
  it("prints the token once, and writes its hash alone, to a file that is its user's alone", async () => {
    const { status, stdout, stderr } = await token("create", "alice");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^breakglass_[\w-]{43}\n$/);
    const made = stdout.trim();
    expect(await content()).toBe(tokenLine(made, "alice"));
    expect(stderr).not.toContain(made);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(new Tokens(await content(), file).ownerOf(made)).toEqual({
      name: "alice",
      roles: ["operator"],
      means: "token",
    });
  });

  it("gives it roles and an end", async () => {
    const { stdout } = await token(
      ...["create", "bob", "--roles", "approver,viewer", "--expires", "2099-01-02T03:04:05Z"],
    );
    expect(await content()).toBe(
      tokenLine(stdout.trim(), "bob roles=viewer,approver expires=2099-01-02T03:04:05Z"),
    );
  });

  it.each([
    [["create", "alice", "--roles", "root"], /takes roles/],
    [["create", "alice", "--expires", "2001-01-01"], /time to come/],
    [["create", "alice", "--expires", "soon"], /time to come/],
    [["create", "two words"], /without spaces/],
    [["revoke", "zz"], /4 digits/],
  ])("refuses what is wrong, and writes nothing: %j", async (args, words) => {
    const { status, stderr, stdout } = await token(...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(words);
    expect(await readdir(folder)).not.toContain("tokens");
  });

  it("leaves comments, lines and their order, and who may read the file", async () => {
    const before = `# ours\n\n${tokenLine("a", "alice")}  # theirs\r\n${tokenLine("b", "bob").trim()}`;
    await writeFile(file, before, { mode: 0o600 });
    await chmod(file, 0o640);
    const { stdout } = await token("create", "carol");
    expect(await content()).toBe(`${before}\n${tokenLine(stdout.trim(), "carol")}`);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it("goes through a link, and leaves it one", async () => {
    const real = join(folder, "real");
    await writeFile(real, tokenLine("a", "alice"), { mode: 0o600 });
    await symlink(real, file);
    const { status } = await token("create", "bob");
    expect(status).toBe(0);
    expect((await readFile(real, "utf8")).split("\n")).toHaveLength(3);
    expect(await content()).toBe(await readFile(real, "utf8"));
  });

  it("changes nothing of a file that no server would take, and says which line", async () => {
    await writeFile(file, `${tokenLine("a", "alice")}nonsense\n`, { mode: 0o600 });
    const { status, stderr } = await token("create", "bob");
    expect(status).toBe(2);
    expect(stderr).toContain(`${file} line 2 must be`);
    expect(await content()).toBe(`${tokenLine("a", "alice")}nonsense\n`);
  });

  it("loses nothing where others change the file all the time", async () => {
    const run = promisify(execFile);
    const counts = await Promise.all(
      ["a", "b", "c"].map((name) =>
        run(process.execPath, [...NODE_FLAGS, CHANGES, file, name, "50"]),
      ),
    );
    expect(counts).toHaveLength(3);
    const { stdout } = await token("list");
    for (const name of ["a", "b", "c"]) expect(stdout.split(`  ${name}-`)).toHaveLength(51);
  });

  it("loses nothing where several run at once", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    await token("create", "first");
    const made = await Promise.all(names.map((name) => token("create", name)));
    expect(made.map(({ status }) => status)).toEqual(names.map(() => 0));
    const tokens = new Tokens(await content(), file);
    const owners = made.map(({ stdout }) => tokens.ownerOf(stdout.trim()));
    expect(owners.map((owner) => typeof owner === "object" && owner.name)).toEqual(names);
    expect(await readdir(folder)).toEqual(["tokens", "tokens.lock"]);
  });
});

describe("token list and revoke", () => {
  it("name tokens by an id, and take one back by its beginning", async () => {
    const [, , list] = await runCommands([
      ["token", "create", "alice", "--file", file],
      ["token", "create", "bob", "--roles", "admin", "--file", file],
      ["token", "list", "--json", "--file", file],
    ]);
    const [alice, bob] = list!.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(alice).toMatchObject({ principal: "alice", roles: ["operator"], expired: false });
    expect(bob).toMatchObject({ principal: "bob", roles: ["admin"] });
    expect((await content()).startsWith(`sha256:${alice.id}`)).toBe(true);
    const [gone, after] = await runCommands([
      ["token", "revoke", alice.id.slice(0, 8), "--file", file],
      ["token", "list", "--file", file],
    ]);
    expect(gone!.stderr).toContain(`${alice.id} of alice`);
    expect(after!.stdout).toBe(`${bob.id}  bob  admin\n`);
  });

  it.each([["list"], ["list", "--json"], ["revoke", "0123"]])(
    "name a file that is not there: %j",
    async (...args) => {
      const { status, stdout, stderr } = await token(...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain(JSON.stringify(file));
      expect(await readdir(folder)).toEqual([]);
    },
  );

  it("leave the last one's line, expired: a file without tokens would be taken for a mistake", async () => {
    const { stdout } = await token("create", "alice");
    const id = /sha256:(\w{12})/.exec(await content())![1]!;
    expect((await token("revoke", id)).status).toBe(0);
    expect(new Tokens(await content(), file).ownerOf(stdout.trim())).toBe("expired");
    expect((await token("list")).stdout).toMatch(/alice {2}operator {2}expired \d{4}-/);
  });
});

describe("a server that runs", () => {
  it("takes up by itself what the commands make and take back", async () => {
    await writeFile(file, tokenLine("first", "alice"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: file });
    const { stdout } = await token("create", "bob");
    using bob = connect(server.url, { authorization: `Bearer ${stdout.trim()}` });
    const answer = () => bob.client.listSessions({}).then(() => "ok", String);
    expect(await eventually(answer, (found) => found === "ok")).toBe("ok");
    const id = /sha256:(\w{12})\w* bob/.exec(await content())![1]!;
    await token("revoke", id);
    await eventually(answer, (found) => found !== "ok");
    expect(await answer()).toContain("[unauthenticated]");
  });
});
