import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { ChainCheck } from "../../src/audit/chain-check.ts";
import { findHead, rawKey } from "../../src/audit/head.ts";
import { readLine, seal } from "../../src/audit/record.ts";
import { runCommand } from "../commands/run-command.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";

/** Each starts many processes. */
const LONGEST_MS = 240_000;

type Environment = Awaited<ReturnType<typeof createTestEnvironment>>;

/** `breakglass audit …` for a server, or for files of one. */
function audit({ variables }: Environment, server: ServeProcess | undefined, ...args: string[]) {
  const url = server === undefined ? {} : { BREAKGLASS_URL: server.url };
  return runCommand(["audit", ...args], { environment: { ...variables, ...url } });
}

async function exported(environment: Environment, server: ServeProcess) {
  const { status, stdout, stderr } = await audit(environment, server, "export");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const check = new ChainCheck();
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => check.take(line));
}

async function runTurn(server: ServeProcess, prompt = "say done") {
  using connection = connect(server.url);
  await collect(connection.client.runTurn({ prompt }));
}

const storeOf = ({ root }: Environment) => join(root, "data", "breakglass.db");

describe.concurrent("a server's audit", { timeout: LONGEST_MS }, () => {
  it("has its starts and ends with the settings, its turns, and its readers, and goes on over a kill", async () => {
    await using environment = await createTestEnvironment({
      BREAKGLASS_AUDIT_HEADS_URL: "http://user:hunter2@127.0.0.1:9/heads?key=hunter2",
    });
    await using first = await startServeProcess(environment.variables);
    await runTurn(first);
    await first.end("SIGKILL");
    await using second = await startServeProcess(environment.variables);
    await exported(environment, second);
    await eventually(
      () => exported(environment, second),
      (records) => records.filter(({ kind }) => kind === "audit_read").length > 1,
    );
    const status = await second.end("SIGTERM");
    expect(status).toBe(0);
    await using third = await startServeProcess(environment.variables);
    const records = await exported(environment, third);
    const kinds = records.map(({ kind }) => kind).filter((kind) => kind !== "audit_read");
    expect(kinds).toEqual([
      ...["server_started", "turn_started", "turn_ended"],
      ...["server_started", "server_draining", "server_ended"],
      "server_started",
    ]);
    const [start] = records;
    expect(start?.facts?.settings).toMatchObject({
      BREAKGLASS_LISTEN: "127.0.0.1:0",
      BREAKGLASS_AUDIT_HEADS_URL: "http://127.0.0.1:9/heads",
    });
    expect(JSON.stringify(records)).not.toContain("hunter2");
    expect(new Set(records.map(({ chain }) => chain)).size).toBe(1);
  });

  it("is given to nobody but administrators, and has who was refused", async () => {
    await using environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine("alpha", "alice"), { mode: 0o600 });
    const variables = { ...environment.variables, BREAKGLASS_TOKENS_FILE: tokens };
    await using server = await startServeProcess(variables);
    const url = { BREAKGLASS_URL: server.url };
    const ask = (token: string) =>
      runCommand(["audit", "export"], { environment: { ...url, BREAKGLASS_TOKEN: token } });
    const alice = await ask("alpha");
    expect(alice).toMatchObject({ status: 3, stdout: "" });
    expect(alice.stderr).toContain("takes the role admin");
    for (let n = 0; n < 20; n++) {
      using stranger = connect(server.url, { authorization: "Bearer wrong" });
      await expect(stranger.client.listSessions({})).rejects.toThrow();
    }
    await writeFile(tokens, tokenLine("beta", "bob"));
    process.kill(server.pid, "SIGHUP");
    using bob = connect(server.url, { authorization: "Bearer beta" });
    await eventually(
      () =>
        bob.client.listSessions({}).then(
          () => true,
          () => false,
        ),
      (isKnown) => isKnown,
    );
    await server.end("SIGTERM");
    // Without tokens everyone on this machine is an administrator.
    await using next = await startServeProcess(environment.variables);
    const records = await exported(environment, next);
    expect(records[0]?.facts?.tokens).toEqual([expect.stringMatching(/^[0-9a-f]{12} alice$/)]);
    const refused = records.filter(({ kind }) => kind === "sign_in_refused");
    expect(refused.map(({ facts }) => facts?.means)).toEqual(["token"]);
    expect(refused[0]?.facts?.address).toBe("127.0.0.1");
    expect(Number(refused[0]?.facts?.count)).toBeGreaterThanOrEqual(20);
    const changed = records.filter(({ kind }) => kind.startsWith("token_"));
    expect(changed.map(({ kind, facts }) => [kind, facts?.principal])).toEqual([
      ["token_added", "bob"],
      ["token_removed", "alice"],
    ]);
  });

  it("is checked by verify: from the server, an export, a store and a copy, against heads and key", async () => {
    await using environment = await createTestEnvironment();
    const heads = join(environment.root, "heads");
    const settings = { BREAKGLASS_AUDIT_HEADS_FILE: heads, BREAKGLASS_AUDIT_HEAD_SECONDS: "1" };
    const variables = { ...environment.variables, ...settings };
    await using server = await startServeProcess(variables);
    await runTurn(server);
    expect((await audit(environment, server, "verify")).stdout).toMatch(/^right: records 1 to /);
    const held = await audit(environment, undefined, "verify", storeOf(environment));
    expect(held).toMatchObject({ status: 2, stdout: "" });
    expect(held.stderr).toContain("a server has it open");
    await server.end("SIGTERM");
    const { mode } = await stat(join(environment.root, "data", "audit-key.pem"));
    expect(mode & 0o777).toBe(0o600);
    const key = join(environment.root, "key.pub");
    await writeFile(key, (await audit(environment, undefined, "key")).stdout);

    const against = ["--head", heads, "--key", key];
    const whole = await audit(environment, undefined, "verify", storeOf(environment), ...against);
    expect(whole).toMatchObject({ status: 0, stderr: "" });
    expect(whole.stdout).not.toContain("not ");

    const copy = join(environment.root, "copy.db");
    await copyFile(storeOf(environment), copy);
    using database = new DatabaseSync(copy);
    database.exec("DELETE FROM audit WHERE place & 0xffffffff = 3");
    const dropped = await audit(environment, undefined, "verify", copy);
    expect(dropped.status).toBe(1);
    expect(dropped.stdout).toContain("wrong: record 3, the 3. that was read: it is missing");
    database.exec("DELETE FROM audit WHERE place & 0xffffffff > 2");
    expect((await audit(environment, undefined, "verify", copy)).status).toBe(0);
    const cut = await audit(environment, undefined, "verify", copy, ...against);
    expect(cut).toMatchObject({ status: 1 });
    expect(cut.stdout).toContain("wrong: record 3");

    for (const [args, why] of [
      [["verify", heads, "--key", heads], "Ed25519 public key"],
      [["verify", copy, "--head", key], "there is no head in it"],
      [["verify", join(environment.root, "nothing")], "ENOENT"],
      [["export", copy], "takes no file"],
    ] as const) {
      const refused = await audit(environment, undefined, ...args);
      expect(refused).toMatchObject({ status: 2 });
      expect(refused.stderr).toContain(why);
    }
  });

  it("says where it is switched off, and where it goes on", async () => {
    await using environment = await createTestEnvironment();
    const off = { ...environment.variables, BREAKGLASS_AUDIT: "off" };
    for (const variables of [environment.variables, off, off, environment.variables]) {
      await using server = await startServeProcess(variables);
      await runTurn(server);
      await server.end("SIGTERM");
    }
    await using last = await startServeProcess(environment.variables);
    const kinds = (await exported(environment, last)).map(({ kind }) => kind);
    const life = [
      "server_started",
      "turn_started",
      "turn_ended",
      "server_draining",
      "server_ended",
    ];
    expect(kinds.slice(0, 11)).toEqual([...life, "audit_off", ...life]);
  });

  it("loses what is too old, and is right from there on, also with another key", async () => {
    await using environment = await createTestEnvironment();
    const variables = { ...environment.variables, BREAKGLASS_AUDIT_RETENTION_SECONDS: "1" };
    const [own, other] = ["own.pub", "other.pub"].map((name) => join(environment.root, name)) as [
      string,
      string,
    ];
    const removedBy = async (server: ServeProcess, key: string) => {
      const isBy = (line: string) => line.includes('"records_removed"') && line.includes(key);
      const records = await eventually(
        async () => {
          await runTurn(server);
          return (await audit(environment, server, "export")).stdout.trimEnd().split("\n");
        },
        (lines) => lines.some(isBy),
        30_000,
      );
      expect(JSON.parse(records[0]!).sequence).toBeGreaterThan(1);
    };
    {
      await using server = await startServeProcess(variables);
      await writeFile(own, (await audit(environment, undefined, "key")).stdout);
      expect((await readFile(own, "utf8")).startsWith("-----BEGIN PUBLIC KEY-----")).toBe(true);
      await removedBy(server, rawKey(createPublicKey(await readFile(own))));
      const verified = await audit(environment, server, "verify", "--key", own);
      expect(verified.stdout).toMatch(/^right: records /);
      await server.end("SIGTERM");
    }
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const keyFile = join(environment.root, "other.pem");
    await writeFile(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await writeFile(other, publicKey.export({ type: "spki", format: "pem" }));
    const kept = { BREAKGLASS_AUDIT_KEY: keyFile, BREAKGLASS_AUDIT_RETENTION_SECONDS: "0" };
    await using second = await startServeProcess({ ...variables, ...kept });
    await runTurn(second);
    const given = (...keys: string[]) => keys.flatMap((key) => ["--key", key]);
    const verified = await audit(environment, second, "verify", ...given(own, other));
    expect(verified.stdout).toMatch(/^right: records /);
    for (const keys of [[own], [other], [other, own]]) {
      const wrong = await audit(environment, second, "verify", ...given(...keys));
      expect(wrong).toMatchObject({ status: 1 });
      expect(wrong.stdout).toContain("key");
    }
    await second.end("SIGTERM");
    await using third = await startServeProcess({ ...variables, BREAKGLASS_AUDIT_KEY: keyFile });
    await removedBy(third, rawKey(publicKey));
    const last = await audit(environment, third, "verify", ...given(own, other));
    expect(last.stdout).toMatch(/^right: records /);
  });

  it("shows that its beginning was cut off, to whoever has heads that were handed out", async () => {
    await using environment = await createTestEnvironment();
    const heads = join(environment.root, "heads");
    const variables = {
      ...environment.variables,
      ...{ BREAKGLASS_AUDIT_HEADS_FILE: heads, BREAKGLASS_AUDIT_HEAD_SECONDS: "1" },
    };
    await using server = await startServeProcess(variables);
    await runTurn(server);
    await eventually(
      () => readFile(heads, "utf8").catch(() => ""),
      (all) => all.includes("\n"),
    );
    await runTurn(server);
    await server.end("SIGTERM");
    const key = join(environment.root, "key.pub");
    await writeFile(key, (await audit(environment, undefined, "key")).stdout);
    const head = findHead((await readFile(heads, "utf8")).split("\n")[0]!)!;
    {
      using database = new DatabaseSync(storeOf(environment));
      const rows = database.prepare("SELECT place, line FROM audit ORDER BY place").all();
      const { place, line } = rows.at(-1)!;
      const facts = { head: { ...head } };
      const forged = seal({ kind: "records_removed", facts }, readLine(String(line)), Date.now());
      const insert = database.prepare("INSERT INTO audit (place, line) VALUES (?, ?)");
      insert.run(Number(place) + 1, forged.line);
      const first = Number(rows[0]!.place);
      database.prepare("DELETE FROM audit WHERE place < ?").run(first + head.sequence);
    }
    const against = ["--head", heads, "--key", key];
    const stopped = await audit(environment, undefined, "verify", storeOf(environment), ...against);
    expect(stopped).toMatchObject({ status: 1 });
    // Nor where the next server goes on with it, and signs heads of its own.
    await using next = await startServeProcess(variables);
    await runTurn(next);
    await next.end("SIGTERM");
    const later = await audit(environment, undefined, "verify", storeOf(environment), ...against);
    expect(later).toMatchObject({ status: 1 });
    expect(later.stdout).toContain("no removal that was signed");
  });

  it("is taken as it was exported, to the byte", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    await runTurn(server);
    const { stdout } = await audit(environment, server, "export");
    const file = join(environment.root, "export");
    const verify = async (text: string) => {
      await writeFile(file, text);
      return audit(environment, undefined, "verify", file);
    };
    expect(await verify(stdout)).toMatchObject({ status: 0 });
    const lines = stdout.trimEnd().split("\n");
    expect(await verify(lines.join("\n"))).toMatchObject({ status: 0 });
    for (const [text, where] of [
      [lines.with(1, `${lines[1]!}\r`).join("\n"), "record 2, the 2. "],
      [lines.toSpliced(1, 0, "").join("\n"), "record 2, the 2. "],
      [`${stdout}\n`, `the ${lines.length + 1}. `],
      [`\ufeff${stdout}`, "the 1. "],
      [stdout.replaceAll("\n", "\r\n"), "record 1, the 1. "],
    ] as const) {
      const wrong = await verify(text);
      expect(wrong).toMatchObject({ status: 1 });
      expect(wrong.stdout).toContain(where);
    }
  });
});
