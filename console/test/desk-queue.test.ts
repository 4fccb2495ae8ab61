import { PendingApprovalSchema } from "@breakglass/client";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { arrange, type QueuedApproval, RESOLVED_STAYS_MS } from "../src/desk/approval-queue.ts";

const NOW = 1_000_000;

function queued(
  id: string,
  deadlineMs: number,
  more: Partial<QueuedApproval> & { mayResolve?: boolean } = {},
) {
  const { mayResolve = true, ...rest } = more;
  const approval = create(PendingApprovalSchema, { mayResolve });
  return { id, approval, deadlineMs: NOW + deadlineMs, ...rest } as QueuedApproval;
}
const known = (...all: QueuedApproval[]) => new Map(all.map((one) => [one.id, one]));
const ids = (all: readonly QueuedApproval[]) => all.map(({ id }) => id);
const decided = { resolution: {} as never, resolvedMs: NOW };

describe("what waits for an approval", () => {
  it("is put by who may answer, and then by when it is denied", () => {
    const all = known(
      queued("others", 1, { mayResolve: false }),
      queued("later", 90),
      queued("soon", 10),
    );
    expect(ids(arrange([], all, false, NOW))).toEqual(["soon", "later", "others"]);
  });

  it("leaves a moment after it was decided", () => {
    const all = known(queued("a", 10, decided), queued("b", 20));
    expect(ids(arrange([], all, false, NOW + RESOLVED_STAYS_MS - 1))).toEqual(["a", "b"]);
    expect(ids(arrange([], all, false, NOW + RESOLVED_STAYS_MS))).toEqual(["b"]);
  });

  it("does not move while somebody points at it", () => {
    const [a, b] = [queued("a", 50), queued("b", 60)];
    const shown = arrange([], known(a, b), false, NOW);
    const after = known({ ...a, ...decided }, b, queued("new and sooner", 1));
    const held = arrange(shown, after, true, NOW + 10 * RESOLVED_STAYS_MS);
    expect(ids(held)).toEqual(["a", "b", "new and sooner"]);
    expect(held[0]!.resolution).toBeDefined();
    expect(ids(arrange(held, after, false, NOW + 10 * RESOLVED_STAYS_MS))).toEqual([
      "new and sooner",
      "b",
    ]);
  });
});
