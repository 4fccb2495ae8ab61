import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { curl, openClient } from "../support/operator.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const linux = process.platform === "linux";
const why = linux ? "" : " (left out: only Linux tells whose a connection is)";
const STOLEN = "of-the-admin";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-stolen-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe.skipIf(!linux)(`a token of an admin's that an agent has got hold of${why}`, () => {
  it("is told of with its name and the turn: in the log and the audit once, in the metrics each time", async () => {
    const tokens = join(folder, "tokens");
    const lines =
      tokenLine("of-alice", "alice") + tokenLine(STOLEN, "root").replace(/\n$/, " roles=admin\n");
    await writeFile(tokens, lines, { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens });
    using alice = openClient(server.url, "of-alice");
    using admin = openClient(server.url, STOLEN);
    const more = `-H 'authorization: Bearer ${STOLEN}'`;
    const call = curl(server.url, { method: "ListSessions", body: "{}", more });
    const prompt = `bash for i in 1 2 3 4 5 6 7 8; do ${call}; done\nresult`;
    const events = await collect(alice.client.runTurn({ prompt }));
    expect(valuesOf(events, "toolResult")[0]?.content.match(/an agent/g)).toHaveLength(8);
    const turnId = events[0]?.turnId;
    const { sessionId } = (await alice.client.listSessions({})).sessions[0]!;
    const [told, ...others] = server.log
      .filter((line) => line.includes("AGENT_NOT_ALLOWED"))
      .map((line) => JSON.parse(line) as object);
    const token = lines.split("\n")[1]!.slice("sha256:".length, "sha256:".length + 12);
    const shown = { principal: "root", means: "token" };
    expect(others).toEqual([]);
    expect(told).toMatchObject({ ...shown, turnId, sessionId, tokenId: token, from: "127.0.0.1" });
    const records: string[] = [];
    for await (const piece of admin.client.exportAudit({})) records.push(...piece.records);
    const refused = records.filter((record) => record.includes('"sign_in_refused"'));
    expect(refused).toHaveLength(1);
    expect(refused[0]).not.toContain(STOLEN);
    const facts = { ...shown, token_id: token, address: "127.0.0.1", count: 1 };
    expect(JSON.parse(refused[0]!)).toMatchObject({
      session_id: sessionId,
      turn_id: turnId,
      facts,
    });
    const metrics = await fetch(`${server.url}/metrics`, {
      headers: { authorization: "Bearer of-alice" },
    });
    expect(await metrics.text()).toContain(
      'breakglass_requests_refused_total{reason="AGENT_NOT_ALLOWED"} 8',
    );
  });

  it("is looked at before the process: who shows a wrong one is nobody, and is not looked for", async () => {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine(STOLEN, "root"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens });
    using admin = openClient(server.url, STOLEN);
    const calls = ["wrong", STOLEN].map((token) =>
      curl(server.url, {
        method: "ListSessions",
        body: "{}",
        more: `-H 'authorization: Bearer ${token}'`,
      }),
    );
    const events = await collect(
      admin.client.runTurn({ prompt: `bash ${calls.join("; ")}\nresult` }),
    );
    expect(valuesOf(events, "toolResult")[0]?.content).toMatch(
      /unauthenticated.*permission_denied/s,
    );
  });
});
