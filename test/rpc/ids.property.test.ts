import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyId, isUuid } from "../support/arbitrary-ids.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

type Client = TestClient["client"];
type Call = (client: Client, id: string) => Promise<unknown> | AsyncIterable<unknown>;

/** Every field that takes an id, by the request that has it. */
const CALLS: readonly [field: string, optional: boolean, call: Call][] = [
  ["session_id", true, (client, sessionId) => client.runTurn({ prompt: "say x", sessionId })],
  ["request_id", true, (client, requestId) => client.runTurn({ prompt: "say x", requestId })],
  ["turn_id", false, (client, turnId) => client.attachTurn({ turnId })],
  ["turn_id", false, (client, turnId) => client.cancelTurn({ turnId })],
  ["turn_id", false, (client, turnId) => client.getTurn({ turnId })],
  ["session_id", false, (client, sessionId) => client.getSession({ sessionId })],
  // Without one it lists all turns.
  ["session_id", false, (client, id) => client.listTurns({ sessionId: id || "none" })],
  ["session_id", false, (client, sessionId) => client.deleteSession({ sessionId })],
];

describe("an id that a client sends", () => {
  it("is refused by its field's name or names nothing, and no file comes, goes or is named after it", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const files = async () => (await readdir(server.root, { recursive: true })).sort();
    const before = await files();
    // What a lone surrogate becomes is the client's affair: protobuf has no place for it.
    const id = anyId.filter((text) => text.isWellFormed());
    const property = fc.asyncProperty(
      id,
      fc.constantFrom(...CALLS),
      async (text, [field, optional, call]) => {
        // Those that start a turn do so for a good id, as they should.
        fc.pre(!optional || (text !== "" && !isUuid(text)));
        const refused = await refusalOf(call(client, text));
        if (isUuid(text)) expect(refused).toMatchObject({ code: "NotFound" });
        else expect(refused).toMatchObject({ code: "InvalidArgument", fields: [field] });
      },
    );
    await fc.assert(property, { numRuns: 200 });
    expect(await files()).toEqual(before);
  });

  it("is in no path even where it names a session", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const sessionId = randomUUID();
    await Array.fromAsync(client.runTurn({ prompt: "say x", sessionId }));
    const names = await readdir(server.root, { recursive: true });
    expect(names.filter((name) => name.includes(sessionId))).toEqual([]);
    expect(names.filter((name) => name.includes("sessions"))).not.toEqual([]);
  });
});
