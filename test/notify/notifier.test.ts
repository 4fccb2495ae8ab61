import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ResultEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { createLog } from "../../src/log.ts";
import { Notifier } from "../../src/notify/notifier.ts";
import { type RetryTimes, retryDelay } from "../../src/notify/retry-times.ts";
import { WebhookEndpoint } from "../../src/notify/webhook-endpoint.ts";
import { WebhookSecrets } from "../../src/notify/webhook-secrets.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { eventually } from "../support/processes.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { type Answer, status, WebhookReceiver } from "./webhook-receiver.ts";

const TIMES: RetryTimes = { firstMs: 1, mostMs: 20, pauseMs: 5, askedMs: 1000 };
const DAY_MS = 86_400_000;

/** A store with so many ends to be told, and a notifier that is not started. */
async function untold(count: number, time: number, answer?: Answer) {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-notifier-"));
  const store = await openSqliteStore(join(folder, "breakglass.db"));
  const receiver = await WebhookReceiver.start();
  if (answer !== undefined) receiver.answer = answer;
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const { turn } = await store.createTurn(turnStart(), store.lease.epoch);
    const kind = { case: "result", value: create(ResultEventSchema) } as const;
    const events = encodeEvents({ turnId: turn.turnId, sessionId: turn.sessionId }, 1, time, [
      kind,
    ]);
    const notifications = [{ kind: "turn.ended", sequence: 1 }] as const;
    const batch = {
      turnId: turn.turnId,
      firstSequence: 1,
      events,
      time,
      end: SUCCEEDED,
      notifications,
    };
    await store.append(batch, store.lease.epoch);
    ids.push(turn.turnId);
  }
  const log: string[] = [];
  const notifier = new Notifier({
    ...{ store, keepMs: DAY_MS, times: TIMES, log: createLog((line) => log.push(line)) },
    endpoint: new WebhookEndpoint({ url: receiver.url, timeoutMs: 5000, ca: () => undefined }),
    secrets: () => new WebhookSecrets(receiver.secret, "a file"),
    messages: { publicUrl: undefined, hasContent: false, redact: (text) => text },
  });
  return {
    ...{ ids, store, receiver, notifier, log },
    async [Symbol.asyncDispose]() {
      await notifier.drain(0);
      await store.close();
      await receiver[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

describe("the notifier", () => {
  it("gives up what is too old, and says how much", async () => {
    await using it = await untold(1100, Date.now() - 2 * DAY_MS);
    it.notifier.start();
    const lines = await eventually(
      () => it.log.filter((line) => line.includes("given up")),
      (found) => found.length > 0,
    );
    expect(lines.map((line) => JSON.parse(line).count)).toEqual([1100]);
    const { items } = await it.store.listUntold(it.store.lease.owner, Date.now(), Infinity, 10);
    expect([items, it.receiver.received]).toEqual([[], []]);
  });

  it("is held up by no message that is never taken", async () => {
    await using it = await untold(50, Date.now());
    const poison = it.ids[0]!;
    it.receiver.answer = (response) => {
      const last = it.receiver.received.at(-1)!.message.data.turn_id;
      status(last === poison ? 500 : 204)(response);
    };
    it.notifier.start();
    const told = await eventually(
      () => new Set(it.receiver.received.map(({ message }) => message.data.turn_id)),
      (found) => found.size === it.ids.length,
    );
    expect(told.size).toBe(it.ids.length);
    await it.notifier.drain(1000);
    const { owner } = it.store.lease;
    const { items } = await it.store.listUntold(owner, Date.now() + DAY_MS, Infinity, 10);
    expect(items.map(({ turnId }) => turnId)).toEqual([poison]);
    expect(items[0]?.attempts).toBeGreaterThan(0);
  });

  it("has one message at a time tried while none is taken", async () => {
    let [now, most, tried] = [0, 0, 0];
    await using it = await untold(20, Date.now(), (response) => {
      tried++;
      most = tried > 4 ? Math.max(most, ++now) : 0;
      setTimeout(() => {
        if (now > 0) now--;
        status(500)(response);
      }, 5);
    });
    it.notifier.start();
    await eventually(
      () => tried,
      (count) => count > 12,
    );
    expect(most).toBe(1);
  });

  it("waits ever longer, never much longer than it may, and as long as it is asked to", () => {
    const times = { firstMs: 1000, mostMs: 60_000, pauseMs: 1, askedMs: 3_600_000 };
    for (let failures = 1; failures < 2000; failures++) {
      const ms = retryDelay(failures, times.mostMs, times);
      const doubled = Math.min(1000 * 2 ** (failures - 1), 60_000);
      expect(ms).toBeGreaterThanOrEqual(doubled / 2);
      expect(ms).toBeLessThanOrEqual(doubled);
    }
    expect(retryDelay(1, times.mostMs, times, 120_000)).toBe(120_000);
    expect(retryDelay(1, times.mostMs, times, 1e15)).toBe(3_600_000);
  });
});
