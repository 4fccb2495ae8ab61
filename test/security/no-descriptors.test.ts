import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { NEEDED } from "../../src/descriptors.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const run = promisify(execFile);

/**
 * Runs a program that has files of src as one `module`, a directory as `root` and no descriptor left, and answers what it
 * printed.
 */
async function runWithoutDescriptors(files: readonly string[], code: string): Promise<string> {
  await using environment = await createTestEnvironment();
  const urls = files.map((file) => new URL(`../../src/${file}`, import.meta.url).href);
  const program = `
    import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from "node:fs";
    ${urls.map((url, index) => `import * as module${index} from ${JSON.stringify(url)};`).join("\n")}
    const module = { ${urls.map((_, index) => `...module${index}`).join()} };
    const root = ${JSON.stringify(environment.root)};
    const ID = "01990000-0000-4000-8000-000000000001";
    const held = [];
    try { for (;;) held.push(openSync("/dev/null")); } catch {}
    ${code}`;
  const node = [process.execPath, "--input-type=module", "-e", program];
  const { stdout } = await run("sh", ["-c", 'ulimit -n 64; exec "$@"', "sh", ...node]);
  return stdout;
}

describe.concurrent("what cannot be opened for want of descriptors", () => {
  it("is not taken for missing", async () => {
    const calls = {
      "a process": "readProcess(1)",
      "the newest process": "newestProcess()",
      "a mark": "readEnvironmentVariable(process.pid, 'HOME')",
      "a cgroup's state": "isPopulated('/sys')",
      "a cgroup's processes": "cgroupProcesses('/sys')",
      "the cgroups of agents": "findCgroups()",
      "an agent definition": "agentsArgument('breakglass', root, root, false)",
      "a conversation": "conversationOrigin(root, ID, root)",
      "a conversation to be removed": "removeConversations(root, [ID], root, undefined)",
    };
    const files = [
      ...["agent/process/process-table.ts", "agent/process/cgroup.ts"],
      ...["agent/claude/agent-definition.ts", "agent/claude/conversation-files.ts"],
    ];
    const printed = await runWithoutDescriptors(
      files,
      Object.values(calls)
        .map((call) => `await (async () => module.${call})().then(String, ({ code }) => code)`)
        .map((code) => `console.log(${code});`)
        .join("\n"),
    );
    const found = printed.trimEnd().split("\n");
    const named = Object.keys(calls).map((what, index) => [what, found[index]]);
    expect(named).toEqual(Object.keys(calls).map((what) => [what, "EMFILE"]));
  });
});

describe.concurrent("what was begun and lacks descriptors to be gone on with", () => {
  it.each([
    ["not even for the folder", 0],
    ["for the folder alone", 1],
  ])("leaves no attachments behind, where there is a descriptor %s", async (_what, free) => {
    const stdout = await runWithoutDescriptors(
      ["turns/attachments.ts"],
      `for (let n = 0; n < ${free}; n++) closeSync(held.pop());
       const files = ["a", "b"].map((name) => ({ name, mediaType: "text/plain", data: Buffer.from(name) }));
       const placed = module.placeAttachments(root, "turn", files);
       console.log(await placed.then(String, ({ message }) => message));
       for (const descriptor of held) closeSync(descriptor);
       console.log(readdirSync(root).length);`,
    );
    expect(stdout).toBe("the server is out of file descriptors (EMFILE)\n0\n");
  });

  it("leaves no cgroup behind", async () => {
    const stdout = await runWithoutDescriptors(
      ["agent/process/cgroup.ts"],
      `mkdirSync(root + "/group");
       await module.removeCgroup(root + "/group");
       console.log(existsSync(root + "/group"));`,
    );
    expect(stdout).toBe("false\n");
  });
});

describe.concurrent("a process that cannot be started for want of descriptors", () => {
  it("ends with that error, and throws nothing", async () => {
    const stdout = await runWithoutDescriptors(
      ["agent/process/piped-process.ts"],
      `const cli = new module.PipedProcess("true", [], { cwd: "/", env: {}, cgroup: undefined });
       cli.write("line"); cli.pause(); cli.resume(); cli.endInput();
       await cli.read(() => {});
       console.log(cli.pid, cli.isUp, (await cli.exit).startError.code);`,
    );
    expect(stdout).toBe("undefined false EMFILE\n");
  });
});

describe.concurrent("workspaces that are removed all at once", () => {
  it("hold no more descriptors than are kept for them, however many and however deep", async () => {
    await using environment = await createTestEnvironment();
    const module = new URL("../../src/files/tree-removals.ts", import.meta.url);
    const program = `
      import { linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
      const { TreeRemovals } = await import(${JSON.stringify(module.href)});
      const names = Array.from({ length: 12 }, (_, n) => ${JSON.stringify(environment.root)} + "/w" + n);
      for (const name of names) {
        const deepest = name + "/d".repeat(15);
        mkdirSync(deepest, { recursive: true });
        writeFileSync(deepest + "/first", "");
        for (let n = 0; n < 1500; n++) linkSync(deepest + "/first", deepest + "/" + n);
      }
      const trees = new TreeRemovals();
      const open = () => readdirSync("/proc/self/fd").length;
      let most = 0;
      setInterval(() => { most = Math.max(most, open()); }, 1);
      await trees.remove(names[0]);
      const before = open();
      most = before;
      const left = await Promise.all(names.map((name) => trees.remove(name)));
      console.log(most - before, left.reduce((sum, { count }) => sum + count, 0));
      process.exit();`;
    const file = join(environment.root, "program.ts");
    await writeFile(file, program);
    const { stdout } = await run(process.execPath, [file]);
    const [held, left] = stdout.trim().split(" ").map(Number);
    expect(left).toBe(0);
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThanOrEqual(NEEDED.removing);
  }, 60_000);
});
