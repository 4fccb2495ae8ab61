import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { TextDeltaEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { TextDeltaReader, TextDeltas } from "../../src/turns/text-deltas.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { ShownText } from "../support/shown-text.ts";
import { startTestServer } from "../support/test-server.ts";

/** Reads until exactly so much is shown of the text that is being written. */
async function untilShown(reader: EventReader, text: string): Promise<void> {
  for (;;) {
    await reader.until("textDelta");
    if (shownBy(reader) === text) return;
  }
}

function shownBy({ seen }: EventReader): string {
  const shown = new ShownText();
  for (const { kind } of seen) shown.take(kind);
  return shown.text;
}

const ASKED = { textDeltas: true };

/** The step that prints an event of the model's API. */
function stream(event: object): string {
  return `print ${JSON.stringify({ type: "stream_event", event, parent_tool_use_id: null })}`;
}

/** The steps of a message whose stream breaks, or goes on, behind some pieces. */
function attempt(id: string, ...pieces: string[]): string[] {
  const content_block = { type: "text", text: "" };
  return [
    stream({ type: "message_start", message: { id } }),
    stream({ type: "content_block_start", index: 0, content_block }),
    ...pieces.map((text) =>
      stream({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }),
    ),
  ];
}

describe("text as it is written", () => {
  it("comes before its text, without numbers, and is never on record", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const prompt = script("delta the disk", "delta  is full", gate.step, "say the disk is full");
    await using reader = new EventReader(client.runTurn({ prompt, ...ASKED }));
    await untilShown(reader, "the disk is full");
    gate.open();
    const events = await reader.rest();
    const kinds = cases(events);
    expect(kinds.lastIndexOf("textDelta")).toBeLessThan(kinds.indexOf("text"));
    expect(valuesOf(events, "text")).toMatchObject([{ text: "the disk is full" }]);
    const recorded = durable(events);
    expect(recorded.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(events.filter(({ kind }) => kind.case === "textDelta")).toSatisfy(isUnnumbered);
    const { turnId } = recorded[0]!;
    expect(cases(await collect(client.attachTurn({ turnId, ...ASKED })))).toEqual([
      ...["checkpoint", "session", "text", "result"],
    ]);
  });

  it("is shown whole to who attaches in its middle, and not to who did not ask", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const gates = [createGate(server.root), createGate(server.root)];
    const steps = ["delta a", "delta b", gates[0]!.step, "delta c", gates[1]!.step, "say abc"];
    await using first = new EventReader(client.runTurn({ prompt: script(...steps), ...ASKED }));
    await untilShown(first, "ab");
    const { turnId } = first.seen[0]!;
    await using second = new EventReader(client.attachTurn({ turnId, ...ASKED }));
    await using plain = new EventReader(client.attachTurn({ turnId }));
    await second.until("textDelta");
    expect(shownBy(second)).toBe("ab");
    expect(valuesOf(second.seen, "textDelta")).toHaveLength(1);
    gates[0]!.open();
    await untilShown(first, "abc");
    await untilShown(second, "abc");
    gates[1]!.open();
    expect(valuesOf(await plain.rest(), "textDelta")).toEqual([]);
    expect(cases(durable(await second.rest()))).toEqual(["session", "text", "result"]);
  });

  it.each([
    ["under the same id", "msg_a"],
    ["under another id", "msg_b"],
  ])("is not joined with what a broken stream said before it, %s", async (_, id) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const gate = createGate(server.root);
    const again = createGate(server.root);
    const prompt = script(
      ...[...attempt("msg_a", "rm -rf /"), gate.step],
      ...[...attempt(id, "rm -rf /tmp", "/cache"), again.step, "say rm -rf /tmp/cache"],
    );
    await using reader = new EventReader(connection.client.runTurn({ prompt, ...ASKED }));
    await untilShown(reader, "rm -rf /");
    gate.open();
    await untilShown(reader, "rm -rf /tmp/cache");
    again.open();
    const ids = valuesOf(await reader.rest(), "textDelta").map(({ messageId }) => messageId);
    expect(new Set(ids).size).toBe(2);
  });

  it("is void to who has shown it as soon as the model begins again, and says something else", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const gates = [createGate(server.root), createGate(server.root)];
    const begin = stream({ type: "message_start", message: { id: "msg_b" } });
    const steps = [...attempt("msg_a", "wrong"), gates[0]!.step, begin, gates[1]!.step];
    const prompt = script(...steps, "bash true");
    await using reader = new EventReader(connection.client.runTurn({ prompt, ...ASKED }));
    await untilShown(reader, "wrong");
    gates[0]!.open();
    await untilShown(reader, "");
    gates[1]!.open();
    expect(cases(durable(await reader.rest())).at(-1)).toBe("result");
  });

  it("ends with its turn", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: "delta half\nhang", ...ASKED }));
    await untilShown(reader, "half");
    await client.cancelTurn({ turnId: reader.seen[0]!.turnId });
    const kinds = cases(await reader.rest());
    expect(kinds.slice(kinds.lastIndexOf("textDelta") + 1)).toEqual(["error"]);
  });
});

function isUnnumbered(events: readonly { sequence: number }[]): boolean {
  return events.length > 0 && events.every(({ sequence }) => sequence === 0);
}

describe("a block that is longer than what is kept", () => {
  const half = "x".repeat(200 * 1024);

  it("leaves its readers with what they have, and begins anew with the next block", () => {
    const deltas = new TextDeltas();
    const [early, late] = [new TextDeltaReader(deltas), new TextDeltaReader(deltas)];
    deltas.take(delta(half), 0);
    expect(early.next(0)?.value.text).toBe(half);
    for (const piece of [half, "rest"]) deltas.take(delta(piece), 0);
    expect([early.next(0), late.next(0)]).toEqual([undefined, undefined]);
    deltas.take(delta(""), 0);
    deltas.take(delta("new"), 0);
    expect(early.next(0)?.value).toMatchObject({ text: "new", messageId: "msg_1#2" });
    expect(late.next(0)?.value).toMatchObject({ text: "new", messageId: "msg_1" });
  });

  it("wakes nobody with what it does not show", () => {
    const deltas = new TextDeltas();
    let calls = 0;
    deltas.listen(() => calls++);
    for (const piece of [half, half, "rest", "rest"]) {
      deltas.take(delta(piece), 0);
      deltas.tell();
    }
    expect(calls).toBe(1);
  });
});

function delta(text: string): EventKind {
  const value = create(TextDeltaEventSchema, { text, messageId: "msg_1" });
  return { case: "textDelta", value };
}
