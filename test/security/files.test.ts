import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readSettingFile } from "../../src/setting-file.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const isRoot = process.geteuid?.() === 0;
const STRANGER = 12_345;

let environment: TestEnvironment;
let root: string;
beforeEach(async () => {
  environment = await createTestEnvironment();
  root = environment.root;
});
afterEach(() => environment[Symbol.asyncDispose]());

/** What a start in this test's directory says that fails; undefined: it starts. */
async function refusalOf(settings: Record<string, string>): Promise<string | undefined> {
  try {
    await using server = await startTestServer({
      BREAKGLASS_DATA_DIR: join(root, "data"),
      ...settings,
    });
    void server;
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ name: "ConfigError" });
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
}

/** The files that settings name, each made so that a start takes it. */
const SECRETS = ["BREAKGLASS_TOKENS_FILE", "BREAKGLASS_TLS_KEY"] as const;
const FILES = [...SECRETS, "BREAKGLASS_TLS_CERT", "BREAKGLASS_RULES_FILE"] as const;
type FileSetting = (typeof FILES)[number];

async function makeFile(variable: FileSetting): Promise<Record<string, string>> {
  const path = join(root, "etc", variable);
  await mkdir(dirname(path), { recursive: true });
  if (!variable.startsWith("BREAKGLASS_TLS_")) {
    const line = variable === "BREAKGLASS_TOKENS_FILE" ? tokenLine("t", "alice") : "deny Read\n";
    await writeFile(path, line, { mode: 0o600 });
    return { [variable]: path };
  }
  const [BREAKGLASS_TLS_CERT, BREAKGLASS_TLS_KEY] = ["CERT", "KEY"].map((name) =>
    join(root, "etc", `BREAKGLASS_TLS_${name}`),
  ) as [string, string];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", BREAKGLASS_TLS_KEY, "-out", BREAKGLASS_TLS_CERT];
  execFileSync("openssl", ["req", "-x509", "-subj", "/CN=x", ...kind, ...files], { stdio: "pipe" });
  await chmod(BREAKGLASS_TLS_KEY, 0o600);
  return { BREAKGLASS_TLS_CERT, BREAKGLASS_TLS_KEY };
}

/** Reads it as the server does, without starting one. */
function read(variable: FileSetting, path: string): Buffer {
  const isSecret = SECRETS.some((secret) => secret === variable);
  return readSettingFile({ variable, path, isSecret });
}

describe("a file that a setting names", () => {
  it.each(
    SECRETS.flatMap((name) =>
      ["0644", "0604", "0602", "0620", "0660", "0666", "0777"].map((mode) => [name, mode] as const),
    ),
  )(
    "and that others can use is refused, with the command that mends it: %s of mode %s",
    async (variable, mode) => {
      const settings = await makeFile(variable);
      const path = settings[variable]!;
      await chmod(path, mode);
      expect(await refusalOf(settings)).toMatch(
        new RegExp(
          `^${variable} is "${path}", which has the mode ${mode}: [^:]*: chmod 600 ${path}$`,
        ),
      );
      execFileSync("chmod", ["600", path]);
      expect(() => read(variable, path)).not.toThrow();
    },
  );

  it.each(
    SECRETS.flatMap((name) =>
      ["0400", "0600", "0440", "0640"].map((mode) => [name, mode] as const),
    ),
  )(
    "and that only the owner and a group can read is taken: %s of mode %s",
    async (variable, mode) => {
      const settings = await makeFile(variable);
      await chmod(settings[variable]!, mode);
      expect(() => read(variable, settings[variable]!)).not.toThrow();
    },
  );

  it.each(["BREAKGLASS_TLS_CERT", "BREAKGLASS_RULES_FILE"] as const)(
    "and that is no secret may be read and not written by others: %s",
    async (variable) => {
      const settings = await makeFile(variable);
      const path = settings[variable]!;
      await chmod(path, 0o644);
      expect(await refusalOf(settings)).toBeUndefined();
      for (const mode of [0o646, 0o664]) {
        await chmod(path, mode);
        expect(await refusalOf(settings)).toMatch(
          new RegExp(
            `which has the mode 0${mode.toString(8)}: .* can write to it: chmod go-w ${path}$`,
          ),
        );
      }
    },
  );

  it.skipIf(!isRoot).each(FILES)(
    "and that belongs to another user is refused: %s (as root)",
    async (variable) => {
      const settings = await makeFile(variable);
      await chown(settings[variable]!, STRANGER, STRANGER);
      expect(await refusalOf(settings)).toBe(
        `${variable} is "${settings[variable]}", which belongs to user ${STRANGER}, and the server runs as user 0: chown 0 ${settings[variable]}`,
      );
    },
  );

  it.each(FILES)(
    "and that others can put another in the place of is refused: %s",
    async (variable) => {
      const settings = await makeFile(variable);
      const folder = join(root, "etc");
      for (const mode of [0o777, 0o775]) {
        await chmod(folder, mode);
        expect(await refusalOf(settings)).toMatch(
          new RegExp(
            `^BREAKGLASS_\\w+ is .*, and "${folder}", on the way to it, has the mode 0${mode.toString(8)}: .*: chmod go-w ${folder}$`,
          ),
        );
      }
      // As in /tmp: what is not theirs they cannot replace.
      await chmod(folder, 0o1777);
      expect(() => read(variable, settings[variable]!)).not.toThrow();
    },
  );

  it("is looked for by each of the links that lead to it", async () => {
    const settings = await makeFile("BREAKGLASS_TOKENS_FILE");
    const open = join(root, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    await symlink(settings.BREAKGLASS_TOKENS_FILE!, join(open, "second"));
    await symlink("open/second", join(root, "first"));
    expect(await refusalOf({ BREAKGLASS_TOKENS_FILE: join(root, "first") })).toContain(
      `and "${open}", on the way to it, has the mode 0777`,
    );
    await chmod(open, 0o755);
    expect(await refusalOf({ BREAKGLASS_TOKENS_FILE: join(root, "first") })).toBeUndefined();
    await symlink("loop", join(root, "loop"));
    expect(await refusalOf({ BREAKGLASS_TOKENS_FILE: join(root, "loop") })).toMatch(/ELOOP$/);
  });

  const KINDS: [string, (path: string) => unknown, RegExp][] = [
    ["a directory", (path) => mkdir(path), /which is a directory, and must be a regular file$/],
    [
      "a FIFO",
      (path) => execFileSync("mkfifo", ["-m", "600", path]),
      /which is a FIFO, and must be/,
    ],
    ["an endless device", (path) => symlink("/dev/zero", path), /which is a device, and must be/],
    ["a terminal", (path) => symlink("/dev/tty", path), /which is a device, and must be/],
    [
      "2 MiB",
      (path) => writeFile(path, Buffer.alloc(2 ** 21, "#"), { mode: 0o600 }),
      /which holds more than the 1048576 bytes/,
    ],
  ];
  it.each(
    FILES.flatMap((variable) =>
      KINDS.map(([kind, make, words]) => ({ variable, kind, make, words })),
    ),
  )(
    "and is $kind stops the start at once, in words: $variable",
    async ({ variable, make, words }) => {
      const settings = await makeFile(variable);
      await rename(settings[variable]!, `${settings[variable]}.good`);
      await make(settings[variable]!);
      expect(await refusalOf(settings)).toMatch(words);
    },
  );

  it("is not one of rules that no process could be started with", async () => {
    const settings = await makeFile("BREAKGLASS_RULES_FILE");
    const rules = Array.from({ length: 9000 }, (_, n) => `deny Bash(rm:${n})`).join("\n");
    await writeFile(settings.BREAKGLASS_RULES_FILE!, rules);
    expect(await refusalOf(settings)).toMatch(
      /whose rules take \d+ bytes as an argument of the CLI/,
    );
  });
});

describe("the server's own files", () => {
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

  it("are its user's alone, whatever umask it was started with; the agent has the operator's", async () => {
    const { variables } = environment;
    const prefix = ["/bin/sh", "-c", 'umask 027; exec "$@"', "sh"];
    await using server = await startServeProcess(variables, prefix);
    using connection = connect(server.url);
    const made = join(root, "made-by-the-agent");
    const prompt = script(`bash umask > ${made}; mkdir ${made}.d`);
    await collect(connection.client.runTurn({ prompt }));
    const data = variables.BREAKGLASS_DATA_DIR!;
    expect(await modeOf(data)).toBe("700");
    expect(await modeOf(join(data, "sessions"))).toBe("700");
    expect(await modeOf(join(data, "breakglass.db"))).toBe("600");
    expect(await modeOf(join(data, "breakglass.db-wal"))).toBe("600");
    expect(await readFile(made, "utf8")).toBe("0027\n");
    expect(await modeOf(made)).toBe("640");
    expect(await modeOf(`${made}.d`)).toBe("750");
    expect(/^Umask:\s*(\d+)/m.exec(await readFile(`/proc/${server.pid}/status`, "utf8"))?.[1]).toBe(
      "0077",
    );
  });

  it("are taken from others where an earlier server left them, and the log says so", async () => {
    const data = join(root, "data");
    await mkdir(data, { mode: 0o755 });
    const path = join(data, "breakglass.db");
    {
      await using server = await startTestServer({ BREAKGLASS_DATA_DIR: data });
      void server;
    }
    const copy = `${path}.version-2`;
    await writeFile(copy, "");
    for (const file of [path, copy]) await chmod(file, 0o644);
    await using server = await startTestServer({ BREAKGLASS_DATA_DIR: data });
    expect(await modeOf(path)).toBe("600");
    expect(await modeOf(`${path}-wal`)).toBe("600");
    expect(await modeOf(copy)).toBe("600");
    const said = server.log.filter((line) => line.includes("others could use a file of the store"));
    expect(said.map((line) => JSON.parse(line).path)).toEqual([path, copy]);
  });

  it.skipIf(!isRoot)("and are another user's are told of in the log (as root)", async () => {
    const data = join(root, "data");
    await mkdir(data, { mode: 0o700 });
    const path = join(data, "breakglass.db");
    await writeFile(path, "", { mode: 0o600 });
    await chown(path, STRANGER, STRANGER);
    await using server = await startTestServer({ BREAKGLASS_DATA_DIR: data });
    const said = server.log.filter((line) => line.includes("another user's"));
    expect(JSON.parse(said[0]!)).toMatchObject({ level: "error", path, mend: `chown 0 ${path}` });
  });

  it("do not lie in a directory that others can write", async () => {
    for (const variable of ["BREAKGLASS_DATA_DIR", "BREAKGLASS_SESSIONS_DIR"]) {
      const directory = join(root, variable);
      await mkdir(directory);
      for (const mode of [0o777, 0o1777, 0o702]) {
        await chmod(directory, mode);
        const shown = mode.toString(8).padStart(4, "0");
        expect(await refusalOf({ [variable]: directory })).toBe(
          `${variable} is "${directory}", which has the mode ${shown}: others can write to it: chmod o-w ${directory}`,
        );
      }
      await chmod(directory, 0o770);
      expect(await refusalOf({ [variable]: directory })).toBeUndefined();
    }
  });

  it.skipIf(!isRoot)("do not lie in a directory of another user (as root)", async () => {
    const directory = join(root, "theirs");
    await mkdir(directory);
    await chown(directory, STRANGER, STRANGER);
    expect(await refusalOf({ BREAKGLASS_DATA_DIR: directory })).toMatch(
      new RegExp(
        `which belongs to user ${STRANGER}, and the server runs as user 0: chown 0 ${directory}$`,
      ),
    );
  });

  it("may lie below a directory that others can write, but the log warns of it", async () => {
    const above = join(root, "above");
    await mkdir(above);
    await chmod(above, 0o777);
    await using server = await startTestServer({ BREAKGLASS_DATA_DIR: join(above, "data") });
    const said = server.log.filter((line) => line.includes("put another directory in the place"));
    expect(JSON.parse(said[0]!)).toMatchObject({ weak: above, mend: `chmod go-w ${above}` });
  });

  it("are locked against another server, though their modes are looked at", async () => {
    const data = join(root, "data");
    await using server = await startTestServer({ BREAKGLASS_DATA_DIR: data });
    void server;
    expect(await refusalOf({ BREAKGLASS_DATA_DIR: data })).toMatch(/another server uses it/);
    // POSIX's locks are the process's: another one has to find them still.
    await expect(
      startServeProcess({ ...environment.variables, BREAKGLASS_DATA_DIR: data }),
    ).rejects.toThrow(/another server uses it/);
    expect(() =>
      new DatabaseSync(join(data, "breakglass.db")).exec("SELECT * FROM turns"),
    ).toThrow();
  });
});
