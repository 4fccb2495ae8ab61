import { expect, it } from "vitest";
import { ended, endOf, ownStart, PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

const EXCEEDED = { reason: "QUOTA_EXCEEDED" };

/** What principals may have on record, and where their sessions work. */
export function describeQuotas(open: OpenStore): void {
  const file = (size: number) => [{ name: "a.txt", mediaType: "text/plain", size }];

  it("refuses a session that would be one too many, and no turn of one that is there", async () => {
    await using opened = await open();
    const { store } = opened;
    const first = await ended(store);
    const second = turnStart({ time: 10 });
    await store.createTurn(second);
    await store.append({ ...endOf(second.turnId), time: 11 });
    const quotas = { sessions: 2, attachmentBytes: 0 };
    const { sessionId } = first.newSession;
    await expect(store.createTurn(turnStart({ quotas }))).rejects.toMatchObject({
      ...EXCEEDED,
      details: { metadata: { limit: "sessions", used: "2", most: "2", session_id: sessionId } },
    });
    await store.createTurn(turnStart({ quotas, principal: "bob" }));
    await store.createTurn(turnStart({ quotas: { ...quotas, sessions: 3 } }));
    await store.createTurn(turnStart({ quotas, session: sessionId }));
    await store.append(endOf((await store.getSession(sessionId, PRINCIPAL)).runningTurnId));
    await store.createTurn({ ...(await ownStart(store, sessionId)), quotas });
  });

  it("counts what was sent with the prompts of the sessions on record, over restarts", async () => {
    await using opened = await open();
    const { store } = opened;
    const quotas = { sessions: 0, attachmentBytes: 100 };
    const large = turnStart({ quotas, attachments: file(60) });
    await store.createTurn(large);
    await store.append(endOf(large.turnId));
    await store.createTurn(turnStart({ quotas, attachments: file(40) }));
    const reopened = await opened.reopen();
    const { sessionId } = large.newSession;
    const further = turnStart({ quotas, attachments: file(1) });
    await expect(reopened.createTurn(further)).rejects.toMatchObject({
      ...EXCEEDED,
      details: { metadata: { limit: "attachment_bytes", used: "100", session_id: sessionId } },
    });
    await reopened.createTurn(turnStart({ quotas }));
    await reopened.createTurn(turnStart({ quotas, principal: "bob", attachments: file(100) }));
    await reopened.deleteNamed(sessionId, PRINCIPAL, 3);
    await reopened.createTurn(turnStart({ quotas, attachments: file(60) }));
  });

  it("lists where the sessions on record work, page by page", async () => {
    await using opened = await open();
    const { store } = opened;
    const starts = [await ended(store), await ended(store), await ended(store)];
    const [gone, ...kept] = starts;
    await store.deleteNamed(gone!.newSession.sessionId, PRINCIPAL, 3);
    const { owner } = store.lease;
    const first = await store.listWorkspaces(owner, 1, "");
    const second = await store.listWorkspaces(owner, 1, first[0]!.sessionKey);
    expect(await store.listWorkspaces(owner, 1, second[0]!.sessionKey)).toEqual([]);
    const places = [...first, ...second].map(({ workspace, principal }) => [workspace, principal]);
    const expected = kept.map(({ newSession }) => [newSession.workspace, PRINCIPAL]);
    expect(places.toSorted()).toEqual(expected.toSorted());
    expect(await store.listWorkspaces("another", 10, "")).toEqual([]);
  });
}
