import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { AskedThread, NoThreadError } from "../../src/stream/asked-thread.ts";

const COUNTING = new URL("./threads/counting-worker.ts", import.meta.url);

function thread() {
  return new AskedThread<string, string>(COUNTING);
}

describe("a thread that is asked", () => {
  it("answers in the order in which it is asked", async () => {
    const asked = thread();
    const order: string[] = [];
    const calls = ["a", "b", "c"].map((call) => asked.ask(call).then((it) => order.push(it)));
    await Promise.all(calls);
    expect(order).toEqual(["a 0", "b 1", "c 2"]);
  });

  it.each([
    ["die", "it was to die"],
    ["exit", "the thread ended"],
  ])("fails the call alone that it ends under: %s", async (end, why) => {
    const asked = thread();
    const answers = await Promise.allSettled(["a", end, "b", "c"].map((call) => asked.ask(call)));
    expect(answers).toMatchObject([
      { value: "a 0" },
      { reason: { message: why } },
      { value: "b 0" },
      { value: "c 1" },
    ]);
  });

  it("that is not to be had is asked nothing: what is the call's is still there", async () => {
    // Such a module no thread is started with.
    const asked = new AskedThread<ArrayBuffer, string>(new URL("http://localhost/"));
    const calls = [new ArrayBuffer(8), new ArrayBuffer(8)];
    const answers = await Promise.allSettled(calls.map((call) => asked.ask(call, [call])));
    expect(answers.map((answer) => answer.status === "rejected" && answer.reason)).toEqual([
      expect.any(NoThreadError),
      expect.any(NoThreadError),
    ]);
    expect(calls.map(({ byteLength }) => byteLength)).toEqual([8, 8]);
  });

  it("is another one behind a call that is its last", async () => {
    const asked = thread();
    const answers = [asked.ask("a"), asked.ask("b", [], true), asked.ask("c")];
    expect(await Promise.all(answers)).toEqual(["a 0", "b 1", "c 0"]);
  });

  it("keeps no process alive, not even one that waits for it", async () => {
    const module = new URL("../../src/stream/asked-thread.ts", import.meta.url);
    const program = `import(${JSON.stringify(module.href)}).then(({ AskedThread }) => {
      const asked = new AskedThread(new URL("${COUNTING.href}"));
      void asked.ask("a").then(console.log);
      console.log("asked");
    })`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--eval", program]);
    expect(stdout).toBe("asked\n");
  });
});
