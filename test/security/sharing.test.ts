import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WatchTurnsResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { type Role as ProtoRole, ShareAccess } from "../../gen/breakglass/v1/session_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Role } from "../../src/identity/caller.ts";
import { refusalOf } from "../support/refusals.ts";
import {
  type AccessWorld,
  type Asker,
  begin,
  type Place,
  startAccessWorld,
} from "./access-world.ts";

const OPERATOR: Role[] = ["operator"];
const APPROVER: Role[] = ["approver"];
const BOTH: Role[] = ["operator", "approver"];
const ADMIN: Role[] = ["admin"];
const ALLOW = { case: "allow", value: {} } as const;
const NOT_FOUND = { code: "NotFound", reason: "NOT_FOUND" };

const withPrincipal = (value: string) => ({ grantee: { case: "principal", value } as const });
const answer = ({ client }: Asker, { turnId, approvalId }: Pick<Place, "turnId" | "approvalId">) =>
  client.resolveApproval({ turnId, approvalId, decision: ALLOW });
const mayResolve = async ({ client }: Asker, { turnId }: Pick<Place, "turnId">) => {
  const { approvals } = await client.listApprovals({ pageSize: 1000 });
  return approvals.find(({ event }) => event?.turnId === turnId)?.mayResolve;
};

/** The session that a change is of. */
function sessionIn({ change }: WatchTurnsResponse): string | undefined {
  if (change.case === "approvalRequested") return change.value.event?.sessionId;
  return change.value?.sessionId;
}

describe("four eyes", () => {
  let world: AccessWorld;
  beforeAll(async () => {
    const settings = { BREAKGLASS_SELF_APPROVAL: "forbidden", BREAKGLASS_APPROVERS: "nobody" };
    world = await startAccessWorld([OPERATOR, APPROVER, BOTH, ADMIN], settings);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each([
    ["an approver", BOTH],
    ["an admin", ADMIN],
    ["an operator", OPERATOR],
  ])("have nobody answer for a turn that they run: %s", async (_who, roles) => {
    const asker = world.asker(roles);
    const own = await world.place("own", asker, "runs");
    expect(await refusalOf(answer(asker, own))).toMatchObject({
      code: "PermissionDenied",
      reason: "SELF_APPROVAL_FORBIDDEN",
    });
    expect(await mayResolve(asker, own)).toBe(false);
    await answer(world.asker(APPROVER), own);
  });

  it("take an approver, whoever operates the session", async () => {
    const [asker, owner] = [world.asker(OPERATOR), world.asker(BOTH)];
    const shared = await world.place("shared to operate", asker, "runs");
    expect(await refusalOf(answer(asker, shared))).toMatchObject({
      reason: "ROLE_MISSING",
      metadata: { role: "approver" },
    });
    expect(await mayResolve(asker, shared)).toBe(false);
    expect(await mayResolve(owner, shared)).toBe(true);
    await answer(owner, shared);
  });

  it("have the owner of a session answer for whom it is shared with, as an approver, and not them", async () => {
    const [owner, other] = [world.asker(BOTH), world.asker(ADMIN)];
    const own = await world.place("own", owner, "has ended");
    const name = { sessionId: own.sessionId, sessionPrincipal: owner.principal };
    const turn = await begin(other.client, PermissionMode.ASK, name);
    expect(await refusalOf(answer(other, turn))).toMatchObject({
      reason: "SELF_APPROVAL_FORBIDDEN",
    });
    await answer(owner, turn);
  });

  it("take an admin for an approver", async () => {
    const admin = world.asker(ADMIN);
    const other = await world.place("another's, in ASK", admin, "runs");
    expect(await mayResolve(admin, other)).toBe(true);
    await answer(admin, other);
  });

  it("count who steers a turn among those who run it", async () => {
    const asker = world.asker(BOTH);
    const shared = await world.place("shared to operate", asker, "runs");
    expect(await mayResolve(asker, shared)).toBe(true);
    await asker.client.steerTurn({ turnId: shared.turnId, message: "rm -r /" });
    expect(await mayResolve(asker, shared)).toBe(false);
    expect(await refusalOf(answer(asker, shared))).toMatchObject({
      reason: "SELF_APPROVAL_FORBIDDEN",
    });
    await answer(world.asker(APPROVER), shared);
  });
});

describe("a session that is shared", () => {
  let world: AccessWorld;
  let asker: Asker;
  beforeAll(async () => {
    world = await startAccessWorld([OPERATOR, ADMIN]);
    asker = world.asker(OPERATOR);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it("under an id that another one chose gets none of their turns", async () => {
    const { client } = asker;
    const bait = await world.place("shared to operate", asker, "has ended");
    const { sessionId } = bait;
    const { turnId } = await begin(client, PermissionMode.BYPASS, { sessionId });
    const mine = { principal: asker.principal, sessionPrincipal: asker.principal, sessionId };
    expect((await client.getTurn({ turnId })).turn).toMatchObject(mine);
    expect((await client.getSession({ sessionId })).session?.principal).toBe(asker.principal);
    expect((await client.listTurns({ sessionId })).turns).toHaveLength(1);
    const { turns } = await bait.owner.listTurns({ sessionId });
    expect(turns.map((turn) => turn.turnId)).toEqual([bait.turnId]);
    await client.cancelTurn({ turnId });
    await client.deleteSession({ sessionId });
    expect(await refusalOf(client.deleteSession({ sessionId }))).toMatchObject(NOT_FOUND);
    expect((await bait.owner.listTurns({ sessionId })).turns).toHaveLength(1);
  });

  it("is the owner's, whoever runs a turn in it", async () => {
    const place = await world.place("shared to operate", asker, "has ended");
    const { sessionId, sessionPrincipal } = place;
    const { turnId } = await begin(asker.client, PermissionMode.ASK, {
      sessionId,
      sessionPrincipal,
    });
    expect((await place.owner.getTurn({ turnId })).turn).toMatchObject({
      ...{ principal: asker.principal, sessionPrincipal: "owner", sessionId },
    });
    const { session } = await place.owner.getSession({ sessionId });
    expect(session).toMatchObject({ principal: "owner", turnCount: 2, runningTurnId: turnId });
  });

  it("ends for them with its share: streams that are open too, and their turn goes on", async () => {
    const place = await world.place("own", world.asker(ADMIN), "has ended");
    const owner = world.asker(ADMIN);
    const { sessionId } = place;
    const share = { sessionId, with: withPrincipal(asker.principal) };
    await owner.client.shareSession({ ...share, access: ShareAccess.OPERATE });
    const name = { sessionId, sessionPrincipal: owner.principal };
    const { turnId } = await begin(asker.client, PermissionMode.ASK, name);
    const started = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const _event of asker.client.attachTurn({ turnId })) started.resolve();
    })();
    // At once: they may end before it is looked at.
    const read = refusalOf(reading);
    const watched = refusalOf(Array.fromAsync(asker.client.watchSession(name)));
    await started.promise;
    await owner.client.unshareSession(share);
    expect(await read).toMatchObject(NOT_FOUND);
    expect(await watched).toMatchObject(NOT_FOUND);
    expect(await refusalOf(asker.client.cancelTurn({ turnId }))).toMatchObject(NOT_FOUND);
    expect((await owner.client.getSession({ sessionId })).session?.runningTurnId).toBe(turnId);
  });

  it("is told of on one stream of all turns from its share on to its end, what runs and waits in it first", async () => {
    const place = await world.place("own", world.asker(ADMIN), "runs");
    const owner = world.asker(ADMIN);
    const left = new AbortController();
    const stream = asker.client.watchTurns({}, { signal: left.signal })[Symbol.asyncIterator]();
    const next = async () => (await stream.next()).value as WatchTurnsResponse;
    /** What is told of the session until something is told that is so. */
    const toldUntil = async (isSo: (news: WatchTurnsResponse) => boolean) => {
      const told: unknown[] = [];
      for (let news = await next(); ; news = await next()) {
        if (sessionIn(news) === place.sessionId) told.push(news.change.case);
        if (isSo(news)) return told;
      }
    };
    expect(await toldUntil(({ caughtUp }) => caughtUp)).toEqual([]);
    const share = { sessionId: place.sessionId, with: withPrincipal(asker.principal) };
    await owner.client.shareSession({ ...share, access: ShareAccess.READ });
    const asked = await toldUntil(({ change }) => change.case === "approvalRequested");
    expect(asked).toEqual(["turnChanged", "approvalRequested"]);
    await owner.client.unshareSession(share);
    await owner.client.cancelTurn({ turnId: place.turnId });
    const own = await world.place("own", asker, "runs");
    const after = await toldUntil((news) => sessionIn(news) === own.sessionId);
    expect(after).toEqual([]);
    left.abort();
    await stream.next().catch(() => {});
    await own.owner.cancelTurn({ turnId: own.turnId });
  });

  it("tells whom it is shared with to its owner and to admins, and others what is shared with them", async () => {
    const place = await world.place("shared to read", asker, "has ended");
    const { sessionId, sessionPrincipal } = place;
    const carol = { with: withPrincipal("carol"), access: ShareAccess.OPERATE };
    await place.owner.shareSession({ sessionId, ...carol });
    const name = { sessionId, sessionPrincipal };
    const sharesTo = async (client: Asker["client"]) => {
      const { session } = await client.getSession(name);
      return session?.shares.map((share) => share.with?.grantee.value);
    };
    expect(await sharesTo(place.owner)).toEqual(["carol", asker.principal]);
    expect(await sharesTo(world.asker(ADMIN).client)).toEqual(["carol", asker.principal]);
    expect(await sharesTo(asker.client)).toEqual([asker.principal]);
    expect((await asker.client.getSession(name)).session?.access).toBe(ShareAccess.READ);
    expect((await place.owner.getSession(name)).session?.access).toBe(ShareAccess.OPERATE);
  });

  it("is shared with nothing that is nobody, and not with its owner", async () => {
    const { sessionId, owner } = await world.place("shared to read", asker, "has ended");
    const access = ShareAccess.READ;
    for (const [request, field] of [
      [{ sessionId, access }, "with"],
      [{ sessionId, access, with: withPrincipal("two words") }, "with.principal"],
      [{ sessionId, access, with: withPrincipal("") }, "with.principal"],
      [
        { sessionId, access, with: { grantee: { case: "role", value: 9 as ProtoRole } as const } },
        "with.role",
      ],
      [{ sessionId, access, with: withPrincipal("owner") }, "with.principal"],
      [{ sessionId, with: withPrincipal("carol") }, "access"],
      [
        { sessionId, access, with: withPrincipal("x"), sessionPrincipal: "a b" },
        "session_principal",
      ],
    ] as const) {
      expect(await refusalOf(owner.shareSession(request))).toMatchObject({
        code: "InvalidArgument",
        fields: [field],
      });
    }
    const noSession = owner.listTurns({ sessionPrincipal: "owner" });
    expect(await refusalOf(noSession)).toMatchObject({ fields: ["session_principal"] });
  });
});
