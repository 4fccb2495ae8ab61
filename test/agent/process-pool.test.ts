import { afterEach, describe, expect, it, vi } from "vitest";
import { type PooledConversation, ProcessPool } from "../../src/agent/process-pool.ts";

const WARM_MS = 1000;

/** A conversation whose process a test ends. */
class DrivenConversation implements PooledConversation {
  sessionKey: string;
  isIdle = true;
  tasks = { size: 0 };
  /** How it was asked to end, and after how long at the latest. */
  readonly asked: (number | undefined)[] = [];
  wasKilled = false;
  readonly #gone = Promise.withResolvers<void>();
  #silentSince = performance.now();
  readonly process: PooledConversation["process"];

  constructor(sessionKey: string) {
    this.sessionKey = sessionKey;
    const conversation = this;
    this.process = {
      gone: this.#gone.promise,
      get isClosing() {
        return conversation.asked.length > 0;
      },
      get silentMs() {
        return performance.now() - conversation.#silentSince;
      },
      close(lingerMs?: number) {
        conversation.asked.push(lingerMs);
        return conversation.#gone.promise;
      },
      killNow() {
        conversation.wasKilled = true;
      },
    };
  }

  /** It prints something. */
  print(): void {
    this.#silentSince = performance.now();
  }

  async exit(): Promise<void> {
    this.#gone.resolve();
    await this.#gone.promise;
  }
}

/** A pool with conversations that were kept behind their turns, the first longest ago. */
function poolOf(maxWarmProcesses: number, ...sessionKeys: string[]) {
  const pool = new ProcessPool<DrivenConversation>({ maxWarmProcesses, warmMs: WARM_MS });
  const conversations = sessionKeys.map((key) => new DrivenConversation(key));
  for (const conversation of conversations) {
    pool.add(conversation);
    void pool.settle(conversation, "keep");
  }
  return { pool, conversations };
}

/** Which of them were asked to end. */
function ending(conversations: readonly DrivenConversation[]): string[] {
  return conversations.filter(({ asked }) => asked.length > 0).map((it) => it.sessionKey);
}

afterEach(() => void vi.useRealTimers());

describe("a pool of processes", () => {
  it("has a session's own until it is gone, and one that waits for a session is nobody's", async () => {
    const { pool, conversations } = poolOf(9, "a", "b");
    const spare = new DrivenConversation("");
    pool.add(spare);
    expect(pool.of("a")).toBe(conversations[0]);
    expect(pool.of("")).toBeUndefined();
    expect(pool.sessionKeys).toEqual(["a", "b"]);
    expect(pool.all).toEqual([...conversations, spare]);
    await conversations[0]!.exit();
    expect(pool.of("a")).toBeUndefined();
    expect(pool.all).toEqual([conversations[1], spare]);
  });

  it("has a session's newer one, also once the older is gone", async () => {
    const { pool, conversations } = poolOf(9, "a");
    const newer = new DrivenConversation("a");
    pool.add(newer);
    await conversations[0]!.exit();
    expect(pool.of("a")).toBe(newer);
  });

  it("ends the one that was used least recently where there are too many", () => {
    const { pool, conversations } = poolOf(2, "a", "b");
    void pool.settle(conversations[0]!, "keep");
    const third = new DrivenConversation("c");
    pool.add(third);
    expect(ending(conversations)).toEqual([]);
    void pool.settle(third, "keep");
    expect(ending([...conversations, third])).toEqual(["b"]);
  });

  it.each([
    ["a", ["b"]],
    ["b", ["a"]],
  ])("ends one with tasks in the background, %s, after the others", (withTasks, ended) => {
    const { pool, conversations } = poolOf(3, "a", "b", "c");
    for (const one of conversations) if (one.sessionKey === withTasks) one.tasks.size = 1;
    pool.makeRoom(1);
    expect(ending(conversations)).toEqual(ended);
    pool.makeRoom(2);
    expect(ending(conversations)).toEqual(withTasks === "a" ? ["b", "c"] : ["a", "c"]);
  });

  it("makes room among those that no turn is using, and for no more than are wanted", () => {
    const { pool, conversations } = poolOf(3, "a", "b", "c");
    conversations[0]!.isIdle = false;
    pool.makeRoom(1);
    expect(ending(conversations)).toEqual([]);
    pool.makeRoom(2);
    expect(ending(conversations)).toEqual(["b"]);
  });

  it("ends one that was idle for its time, and none that is used meanwhile", () => {
    vi.useFakeTimers();
    const { pool, conversations } = poolOf(9, "a", "b");
    pool.use(conversations[1]!);
    vi.advanceTimersByTime(WARM_MS - 1);
    expect(ending(conversations)).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ending(conversations)).toEqual(["a"]);
  });

  it("has its idle time from the last time on that it was used", () => {
    vi.useFakeTimers();
    const { pool, conversations } = poolOf(9, "a");
    vi.advanceTimersByTime(WARM_MS / 2);
    void pool.settle(conversations[0]!, "keep");
    vi.advanceTimersByTime(WARM_MS - 1);
    expect(ending(conversations)).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(ending(conversations)).toEqual(["a"]);
  });

  it.each([
    [
      "has tasks in the background",
      (it: DrivenConversation, on: boolean) => (it.tasks.size = on ? 1 : 0),
    ],
    ["still prints", (it: DrivenConversation, on: boolean) => on && it.print()],
  ])("ends none that %s, until it has been idle for its time behind that", (_what, work) => {
    vi.useFakeTimers();
    const { conversations } = poolOf(9, "a");
    const [one] = conversations as [DrivenConversation];
    vi.advanceTimersByTime(WARM_MS / 2);
    work(one, true);
    vi.advanceTimersByTime(WARM_MS / 2);
    expect(one.asked).toEqual([]);
    work(one, false);
    vi.advanceTimersByTime(WARM_MS);
    expect(one.asked).toEqual([undefined]);
  });

  it.each([
    ["is to be ended", 9, "end", [undefined]],
    ["is to finish, which may take it a while", 9, "finish", [5000]],
    ["would be kept where none is", 0, "keep", [5000]],
    ["is to be kept", 9, "keep", []],
  ] as const)("takes over one that %s", async (_what, maxWarmProcesses, fate, asked) => {
    const { pool } = poolOf(maxWarmProcesses);
    const conversation = new DrivenConversation("a");
    pool.add(conversation);
    const settled = pool.settle(conversation, fate);
    expect(conversation.asked).toEqual(asked);
    if (asked.length > 0) await conversation.exit();
    await settled;
  });

  it("that is closing ends what no turn is using, waits until it is gone, and keeps none behind its turn", async () => {
    const { pool, conversations } = poolOf(9, "idle", "used", "leaving", "late");
    const [idle, used, leaving] = conversations as [
      DrivenConversation,
      DrivenConversation,
      DrivenConversation,
    ];
    for (const busy of [used, leaving, conversations[3]!]) busy.isIdle = false;
    void leaving.process.close();
    let isClosed = false;
    const closed = pool.closeIdle().then(() => {
      isClosed = true;
    });
    expect(ending(conversations)).toEqual(["idle", "leaving"]);
    await idle.exit();
    expect(isClosed).toBe(false);
    await leaving.exit();
    await closed;
    expect(ending(conversations)).toEqual(["idle", "leaving"]);
    void pool.settle(used, "keep");
    expect(used.asked).toEqual([5000]);
  });

  it("kills all that are not gone", async () => {
    const { pool, conversations } = poolOf(9, "a", "b");
    await conversations[0]!.exit();
    pool.killNow();
    expect(conversations.map(({ wasKilled }) => wasKilled)).toEqual([false, true]);
  });
});
