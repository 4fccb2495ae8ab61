import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { errorInfoOf, TurnState } from "#client";
import { linesOf, open } from "../http/support.ts";
import { EventReader } from "../support/event-reader.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const ALICE = tokenLine("alpha", "alice");
const BOB = tokenLine("beta", "bob");
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** What ends a stream of alice's; her turn and bob's stream go on. */
const EDITS: readonly (readonly [string, string])[] = [
  ["is taken out", BOB],
  ["is somebody else's", tokenLine("alpha", "mallory") + BOB],
  ["has fewer roles", tokenLine("alpha", "alice roles=viewer") + BOB],
];

/** Each edit over one protocol, and the first over each. */
const CASES = PROTOCOLS.flatMap((protocol, index) =>
  (index === 0 ? EDITS : EDITS.slice(0, 1)).map(([what, edited]) => ({ protocol, what, edited })),
);

describe("a stream whose token", () => {
  it.each(CASES)("$what ends, over $protocol.name, and no other does", async (one) => {
    const { protocol, edited } = one;
    const connectBy = protocol.connect;
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "tokens");
    await writeFile(file, ALICE + BOB, { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: file });
    using alice = connectBy(server.url, bearer("alpha"));
    using bob = connectBy(server.url, bearer("beta"));
    const gates = [createGate(environment.root), createGate(environment.root)] as const;
    const run = (client: typeof alice.client, gate: (typeof gates)[number]) =>
      new EventReader(client.runTurn({ prompt: script(gate.step, "say done") }));
    await using hers = run(alice.client, gates[0]);
    await using his = run(bob.client, gates[1]);
    await Promise.all([hers.until("session"), his.until("session")]);

    await writeFile(file, edited);
    const error = await hers.rest().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(errorInfoOf(error)?.reason).toBe("STREAM_ENDED");

    for (const gate of gates) gate.open();
    await his.until("result");
    await writeFile(file, ALICE + BOB);
    using again = connect(server.url, bearer("alpha"));
    const { turnId } = hers.seen[0]!;
    // The file is looked at again in its time.
    const ended = await eventually(
      () => again.client.getTurn({ turnId }).catch(() => undefined),
      (answer) => answer?.turn?.state === TurnState.SUCCEEDED,
    );
    expect(ended?.turn?.principal).toBe("alice");
  });

  it("is taken out ends over plain HTTP too", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "tokens");
    await writeFile(file, ALICE + BOB, { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: file });
    const gate = createGate(environment.root);
    const body = JSON.stringify({ prompt: script("say begun", gate.step, "say done") });
    const response = await open(`${server.url}/v1/turns`, { body, headers: bearer("alpha") });
    await writeFile(file, BOB);
    const lines = linesOf(await text(response));
    expect(lines.at(-1)).toMatchObject({ kind: "problem", reason: "STREAM_ENDED" });
    gate.open();
  });
});
