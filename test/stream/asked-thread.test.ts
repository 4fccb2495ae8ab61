import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  AskedThread,
  type AskedThreadOptions,
  NoThreadError,
} from "../../src/stream/asked-thread.ts";

const COUNTING = new URL("./threads/counting-worker.ts", import.meta.url);
const GATHERING = new URL("./threads/gathering-worker.ts", import.meta.url);
/** Such a module no thread is started with. */
const NO_MODULE = new URL("http://localhost/");

function thread(options: AskedThreadOptions = {}, worker = COUNTING) {
  return new AskedThread<string, string>(worker, options);
}

afterEach(() => void vi.useRealTimers());

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
    const asked = new AskedThread<ArrayBuffer, string>(NO_MODULE);
    const calls = [new ArrayBuffer(8), new ArrayBuffer(8)];
    const answers = await Promise.allSettled(calls.map((call) => asked.ask(call, [call])));
    expect(answers.map((answer) => answer.status === "rejected" && answer.reason)).toEqual([
      expect.any(NoThreadError),
      expect.any(NoThreadError),
    ]);
    expect(calls.map(({ byteLength }) => byteLength)).toEqual([8, 8]);
    expect(() => asked.prepare()).toThrow(NoThreadError);
  });

  it("is another one behind a call that is its last", async () => {
    const asked = thread();
    const answers = [asked.ask("a"), asked.ask("b", [], true), asked.ask("c")];
    expect(await Promise.all(answers)).toEqual(["a 0", "b 1", "c 0"]);
  });

  it("fails a call alone that cannot be sent", async () => {
    const asked = new AskedThread<unknown, string>(COUNTING);
    const answers = await Promise.allSettled(["a", () => {}, "b"].map((call) => asked.ask(call)));
    expect(answers).toMatchObject([
      { value: "a 0" },
      { reason: { name: "DataCloneError" } },
      { value: "b 1" },
    ]);
  });

  it.each([
    ["ends where it had nothing to do for a while", {}, "b 0"],
    ["is kept where that is wanted", { isKept: true }, "b 1"],
  ])("%s", async (_what, options, second) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const asked = thread(options);
    expect(await asked.ask("a")).toBe("a 0");
    vi.advanceTimersByTime(29_000);
    expect(await asked.ask("a")).toBe("a 1");
    vi.advanceTimersByTime(31_000);
    expect(await asked.ask("b")).toBe(second.replace("1", "2"));
  });

  it.each([
    ["keeps no process alive", {}, "asked\n"],
    [
      "keeps one alive while a call waits where that is wanted",
      { isWaitedFor: true },
      "asked\na 0\n",
    ],
  ])("%s", async (_what, options, printed) => {
    expect(await printedBy(options)).toBe(printed);
  });
});

describe("a thread that has several calls at a time", () => {
  it("is given no more of them together than it may have", async () => {
    const asked = thread({ atOnce: 3 }, GATHERING);
    const answers = await Promise.all(["a", "b", "c", "d"].map((call) => asked.ask(call)));
    expect(answers).toEqual(["a of 3", "b of 3", "c of 3", "d of 1"]);
  });

  it("fails those that it has where it ends, and another one is asked those behind them", async () => {
    const asked = thread({ atOnce: 2 }, GATHERING);
    const answers = await Promise.allSettled(["a", "die", "b"].map((call) => asked.ask(call)));
    expect(answers).toMatchObject([
      { reason: { message: "it was to die" } },
      { reason: { message: "it was to die" } },
      { value: "b of 1" },
    ]);
  });
});

/** What a program prints, until it ends, that asks and has nothing else to do. */
async function printedBy(options: AskedThreadOptions): Promise<string> {
  const module = new URL("../../src/stream/asked-thread.ts", import.meta.url);
  const program = `import(${JSON.stringify(module.href)}).then(({ AskedThread }) => {
    const asked = new AskedThread(new URL("${COUNTING.href}"), ${JSON.stringify(options)});
    void asked.ask("a").then(console.log);
    console.log("asked");
  })`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--eval", program]);
  return stdout;
}
