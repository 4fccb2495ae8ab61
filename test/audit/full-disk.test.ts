import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { callsIn, lookAtAudit } from "../fault/audited-store.ts";
import { startFaultServer } from "../fault/fault-server.ts";
import { createGround } from "../fault/ground.ts";
import { type DiskKind, makeSmallDisk, mayMount } from "../fault/small-disk.ts";
import { countedRequest, StartedTurn } from "../fault/started-turn.ts";
import { killAll, survivors } from "../fault/survivors.ts";
import { collect, durable, valuesOf } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";

const LONGEST_MS = 120_000;
/** As many as a prompt of `fault-agent.pl` has room for. */
const CALLS = 400;

/** Tool after tool, for as long as the disk takes it. */
const steps = (token: string) =>
  Array.from({ length: CALLS }, (_, n) => [`call ${n}`, `say ${token} 1 15`]).flat();

const KINDS: readonly DiskKind[] = ["tmpfs", "file size limit"];

describe.each(KINDS)("a disk that gets full under a turn (%s)", (kind) => {
  it(
    "leaves no event without its record and no record without its event, and a chain that goes on",
    async ({ skip }) => {
      await using ground = await createGround();
      if (kind === "tmpfs" && !mayMount(ground.root)) skip("nothing may be mounted here");
      using disk = makeSmallDisk(kind, ground.root);
      const heads = join(ground.root, "heads");
      const variables = {
        ...ground.variables,
        BREAKGLASS_DATA_DIR: disk.dataDir,
        BREAKGLASS_SESSIONS_DIR: join(ground.root, "sessions"),
        BREAKGLASS_AUDIT_HEADS_FILE: heads,
        BREAKGLASS_AUDIT_HEAD_SECONDS: "1",
      };
      const placed = { ...ground, variables };
      await using first = await startFaultServer(placed, disk.prefix);
      using turn = new StartedTurn(first.url, countedRequest(steps));
      expect(await turn.recording.received(60)).toBe(true);
      disk.fill(first.pid);
      const cut = await refusalOf(Promise.reject(await turn.recording.over));
      expect(cut).toMatchObject({ code: "Unavailable", reason: "STORAGE" });
      await first.end("SIGKILL");
      killAll(await survivors(ground.root, 0));
      const told = { turns: [turn], deleted: [] };
      const full = await lookAtAudit(disk.dataDir, heads, told);
      expect(full.faults).toEqual([]);
      const tools = callsIn(full.records);
      expect(tools).toBeGreaterThan(5);
      expect(tools).toBeLessThan(CALLS);
      disk.clear();
      await using second = await startFaultServer(placed, disk.prefix);
      using connection = connect(second.url);
      const { turnId = "" } = turn.recording;
      const events = durable(await collect(connection.client.attachTurn({ turnId })));
      expect(valuesOf(events, "error")).toHaveLength(1);
      await second.end("SIGTERM");
      const whole = await lookAtAudit(disk.dataDir, heads, told);
      expect(whole.faults).toEqual([]);
      const kinds = whole.records.slice(full.records.length).map(({ kind: of }) => of);
      expect(kinds).toContain("turn_ended");
      expect(kinds.at(-1)).toBe("server_ended");
    },
    LONGEST_MS,
  );
});
