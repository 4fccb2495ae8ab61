import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListTurnsRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { collect } from "../support/events.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
let connection: TestClient;
let client: TestClient["client"];
/** Seven sessions with a turn each, the first with four more; oldest first. */
const sessionIds: string[] = [];
const turnIds: string[] = [];
beforeAll(async () => {
  server = await startTestServer();
  connection = connect(server.url);
  client = connection.client;
  for (let n = 0; n < 7; n++) {
    const [event] = await collect(client.runTurn({ prompt: `say ${n}` }));
    sessionIds.push(event!.sessionId);
    if (n === 0) turnIds.push(event!.turnId);
  }
  for (let n = 0; n < 4; n++) {
    const request = { prompt: `say ${n}`, sessionId: sessionIds[0]! };
    turnIds.push((await collect(client.runTurn(request)))[0]!.turnId);
  }
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** Reads every page. */
async function pages<T>(
  read: (pageToken: string) => Promise<{ items: T[]; nextPageToken: string }>,
): Promise<T[][]> {
  const found: T[][] = [];
  for (let token: string | undefined = ""; token !== undefined; ) {
    const { items, nextPageToken } = await read(token);
    found.push(items);
    token = nextPageToken || undefined;
  }
  return found;
}

describe("ListTurns", () => {
  it("answers a session's turns, newest first, in pages that neither repeat nor skip", async () => {
    const found = await pages(async (pageToken) => {
      const request = { sessionId: sessionIds[0]!, pageSize: 2, pageToken };
      const { turns, nextPageToken } = await client.listTurns(request);
      return { items: turns.map((turn) => turn.turnId), nextPageToken };
    });
    expect(found.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(found.flat()).toEqual(turnIds.toReversed());
  });

  it("cuts prompts between characters and says so, while GetTurn has all of one", async () => {
    const prompt = `say ${"é…𝄞".repeat(1000)}`;
    const [event] = await collect(client.runTurn({ prompt }));
    const { turnId, sessionId } = event!;
    const [listed] = (await client.listTurns({ sessionId })).turns;
    expect(listed!.promptTruncated).toBe(true);
    expect(Buffer.byteLength(listed!.prompt)).toBeGreaterThan(4000);
    expect(Buffer.byteLength(listed!.prompt)).toBeLessThanOrEqual(4096);
    expect(prompt.startsWith(listed!.prompt)).toBe(true);
    const { turn } = await client.getTurn({ turnId });
    expect(turn).toMatchObject({ prompt, promptTruncated: false });
    await client.deleteSession({ sessionId });
  });
});

describe("ListTurns without a session", () => {
  it("answers all turns of the caller, newest first, in pages, and those of a state or a time", async () => {
    const list = async (more: MessageInitShape<typeof ListTurnsRequestSchema>) => {
      const found = await pages(async (pageToken) => {
        const { turns, nextPageToken } = await client.listTurns({
          pageSize: 4,
          ...more,
          pageToken,
        });
        return { items: turns, nextPageToken };
      });
      return found.flat();
    };
    const turns = await list({});
    expect(turns).toHaveLength(11);
    expect(turns[0]?.turnId).toBe(turnIds.at(-1));
    const times = turns.map(({ createTime }) => timestampMs(createTime!));
    expect(times).toEqual(times.toSorted((one, other) => other - one));
    expect(await list({ states: [TurnState.SUCCEEDED] })).toHaveLength(11);
    expect(await list({ states: [TurnState.FAILED, TurnState.RUNNING] })).toEqual([]);
    const since = turns[3]!.createTime!;
    expect((await list({ since })).map(({ turnId }) => turnId).slice(0, 4)).toEqual(
      turns.slice(0, 4).map(({ turnId }) => turnId),
    );
    expect((await list({ since })).length).toBeLessThan(8);
    const sessionId = sessionIds[0]!;
    expect(await list({ sessionId, states: [TurnState.SUCCEEDED] })).toHaveLength(5);
    expect(await list({ sessionId, states: [TurnState.LOST] })).toEqual([]);
  });

  it("answers those of a principal, until a time, begun by whom, with a text, in pages of their own", async () => {
    const ids = async (more: MessageInitShape<typeof ListTurnsRequestSchema>) =>
      (await client.listTurns(more)).turns.map(({ turnId }) => turnId);
    const all = await client.listTurns({});
    const until = all.turns[3]!.createTime!;
    expect(await ids({ until })).toEqual(all.turns.slice(4).map(({ turnId }) => turnId));
    expect(await ids({ principal: "local" })).toHaveLength(11);
    expect(await ids({ principal: "nobody" })).toEqual([]);
    expect(await ids({ origin: TurnOrigin.CALLER })).toHaveLength(11);
    expect(await ids({ origin: TurnOrigin.AGENT })).toEqual([]);
    expect(await ids({ query: "SAY 3" })).toContain(turnIds.at(-1));
    expect(await ids({ query: "nothing has this" })).toEqual([]);
    const sessionId = sessionIds[0]!;
    expect(await ids({ sessionId, query: "say 3", until })).toEqual([]);
    expect(await ids({ sessionId, query: "say 3" })).toEqual([turnIds.at(-1)]);
    for (const one of [{}, { sessionId }]) {
      const { nextPageToken: pageToken } = await client.listTurns({
        ...one,
        query: "say",
        pageSize: 1,
      });
      const others: MessageInitShape<typeof ListTurnsRequestSchema>[] = [
        { query: "sa" },
        { until },
        { principal: "local" },
        { origin: 1 },
      ];
      for (const other of others) {
        const asked = client.listTurns({ ...one, query: "say", ...other, pageToken });
        expect(await refusalOf(asked)).toMatchObject({ fields: ["page_token"] });
      }
      expect(
        (await client.listTurns({ ...one, query: "say", pageToken })).turns.length,
      ).toBeGreaterThan(1);
    }
  });

  it("refuses states that there are none of", async () => {
    for (const states of [[TurnState.UNSPECIFIED], [77 as TurnState]]) {
      expect(await refusalOf(client.listTurns({ states }))).toMatchObject({
        code: "InvalidArgument",
        fields: ["states[0]"],
      });
    }
  });
});

describe("ListSessions", () => {
  it("answers where each session's newest turn stands, and how its prompt begins", async () => {
    const { sessions } = await client.listSessions({});
    const own = sessions.find(({ sessionId }) => sessionId === sessionIds[0]);
    const last = {
      lastTurnId: turnIds.at(-1),
      lastTurnState: TurnState.SUCCEEDED,
      lastPrompt: "say 3",
    };
    expect(own).toMatchObject(last);
    const { session } = await client.getSession({ sessionId: sessionIds[0]! });
    expect(session).toMatchObject(last);
  });

  it("answers sessions, most recently active first, in pages", async () => {
    const found = await pages(async (pageToken) => {
      const { sessions, nextPageToken } = await client.listSessions({ pageSize: 3, pageToken });
      return { items: sessions.map((session) => session.sessionId), nextPageToken };
    });
    const [first, ...others] = sessionIds;
    expect(found.map((page) => page.length)).toEqual([3, 3, 1]);
    expect(found.flat()).toEqual([first, ...others.toReversed()]);
  });

  it("takes any page size from 0 up", async () => {
    for (const pageSize of [0, 1000, 2 ** 31 - 1]) {
      expect((await client.listSessions({ pageSize })).sessions).toHaveLength(7);
    }
  });
});

describe("page tokens", () => {
  it("are worth nothing for another list, another session or when made up", async () => {
    const [sessionId, other] = sessionIds as [string, string];
    const turnsToken = (await client.listTurns({ sessionId, pageSize: 1 })).nextPageToken;
    const sessionsToken = (await client.listSessions({ pageSize: 1 })).nextPageToken;
    const calls = [
      () => client.listSessions({ pageToken: turnsToken }),
      () => client.listTurns({ sessionId, pageToken: sessionsToken }),
      () => client.listTurns({ sessionId: other, pageToken: turnsToken }),
      () => client.listTurns({ sessionId, states: [TurnState.LOST], pageToken: turnsToken }),
      () => client.listTurns({ pageToken: turnsToken }),
      () => client.listApprovals({ pageToken: turnsToken }),
      () => client.listSessions({ pageToken: "made up" }),
      () => client.listSessions({ pageToken: `${sessionsToken}x` }),
      () => client.listSessions({ pageToken: "x".repeat(10_000) }),
    ];
    for (const call of calls) {
      expect(await refusalOf(call())).toMatchObject({
        code: "InvalidArgument",
        fields: ["page_token"],
      });
    }
  });
});
