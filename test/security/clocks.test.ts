import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { createLog } from "../../src/log.ts";
import type { Store } from "../../src/store/store.ts";
import { retain } from "../../src/turns/retention.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { EventReader } from "../support/event-reader.ts";
import { valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";

const HOUR_MS = 3600_000;

/** A machine whose clock is set while it runs. */
beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => void vi.useRealTimers());

describe("a clock that is set", () => {
  it.each([[HOUR_MS], [-HOUR_MS]])("by %d ms leaves an approval its time", async (byMs) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const prompt = script(gate.step, 'ask Bash {"command":"ls"}', "say done");
    await using reader = new EventReader(
      client.runTurn({ prompt, permissionMode: PermissionMode.ASK }),
    );
    await reader.until("session");
    vi.setSystemTime(Date.now() + byMs);
    gate.open();
    const { turnId } = await reader.until("approvalRequest");
    const [asked] = valuesOf(reader.seen, "approvalRequest");
    expect(timestampMs(asked!.expireTime!) - Date.now()).toBeGreaterThan(500_000);
    expect(timestampMs(asked!.expireTime!) - Date.now()).toBeLessThanOrEqual(600_000);
    const { approvalId } = asked!;
    // One that had expired is refused.
    await client.resolveApproval({ turnId, approvalId, decision: { case: "allow", value: {} } });
    await reader.until("result");
  });

  it("forward ages no turn, and back keeps them as long", async () => {
    const ageMs = 10_000;
    const begun = Date.now();
    const over = new AbortController();
    const removals: number[] = [];
    const store = {
      lease: { owner: "this", epoch: 1 },
      async removeEndedTurns(before: number) {
        removals.push(before);
        return { turns: 0, sessions: [] };
      },
    };
    const nothing = { remove: async () => true, removeRows: async () => true };
    const log = createLog(() => {});
    const audit = new TurnAudit(undefined);
    const surroundings = { store: store as unknown as Store, log, audit };
    const retained = retain(surroundings, ageMs, nothing, over.signal);
    const looks = () =>
      eventually(
        () => removals.splice(0),
        (found) => found.length > 0,
      );
    const aged = (now: number) => [expect.closeTo(now - ageMs, -4)];
    expect(await looks()).toEqual(aged(begun));
    vi.setSystemTime(begun + 24 * HOUR_MS);
    expect(await looks()).toEqual(aged(begun));
    vi.setSystemTime(begun - 24 * HOUR_MS);
    expect(await looks()).toEqual(aged(begun - 24 * HOUR_MS));
    over.abort();
    await retained;
  });
});
