import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { said, startLiveServer } from "./live-server.ts";

const textDeltas = true;

/** The pieces that were shown since the last text, as one. */
const written = (events: readonly TurnEvent[]) =>
  valuesOf(events, "textDelta")
    .map(({ text }) => text)
    .join("");

describe("text as it is written", () => {
  it.each(PROTOCOLS)("comes before its text, over $name", async (protocol) => {
    await using live = await startLiveServer();
    using connection = protocol.connect(live.server.url);
    const gate = createGate(live.server.root);
    const prompt = script("delta one ", "delta two ☃", gate.step, "say one two ☃");
    const seen: TurnEvent[] = [];
    for await (const { event } of connection.client.runTurn({ prompt, textDeltas })) {
      seen.push(event!);
      if (written(seen) === "one two ☃") gate.open();
    }
    const deltas = seen.filter(({ kind }) => kind.case === "textDelta");
    expect(new Set(deltas.map(({ sequence }) => sequence))).toEqual(new Set([0]));
    const [text] = valuesOf(seen, "text");
    expect(text?.text).toBe("one two ☃");
    expect(valuesOf(seen, "textDelta").map(({ messageId }) => messageId)).toEqual(
      deltas.map(() => text!.messageId),
    );
    expect(cases(seen).indexOf("text")).toBeGreaterThan(cases(seen).lastIndexOf("textDelta"));
  });

  it("is given to whoever asks for it, by RunTurn or AttachTurn, and to nobody else, and is not on record", async () => {
    await using live = await startLiveServer();
    const gate = createGate(live.server.root);
    const prompt = script("say zero", "delta one ", "delta two", gate.step, "say one two");
    const requestId = randomUUID();
    const reader = live.open({ prompt, requestId, textDeltas });
    const { turnId } = await reader.until("textDelta");
    const plain = collect(live.client.runTurn({ prompt, requestId }));
    const late: TurnEvent[] = [];
    for await (const { event } of live.client.attachTurn({ turnId, textDeltas })) {
      late.push(event!);
      if (written(late) === "one two") gate.open();
    }
    const events = await reader.rest();
    expect(written(events)).toBe("one two");
    expect(valuesOf(await plain, "textDelta")).toEqual([]);
    const recorded = await collect(live.client.attachTurn({ turnId, textDeltas }));
    expect(valuesOf(recorded, "textDelta")).toEqual([]);
    for (const stream of [late, await plain, recorded]) {
      expect(bytesOf(durable(stream))).toEqual(bytesOf(durable(events)));
    }
    expect(said(events)).toEqual(["zero", "one two"]);
  });

  it("of a message that is begun anew has another message_id", async () => {
    await using live = await startLiveServer();
    const gate = createGate(live.server.root);
    const prompt = script(
      "delta on",
      "restart",
      "delta one ",
      "delta two",
      gate.step,
      "say one two",
    );
    const seen: TurnEvent[] = [];
    let shown = "";
    let messageId = "";
    for await (const { event } of live.client.runTurn({ prompt, textDeltas })) {
      seen.push(event!);
      if (event!.kind.case !== "textDelta") continue;
      const { value } = event!.kind;
      shown = value.messageId === messageId ? shown + value.text : value.text;
      messageId = value.messageId;
      if (shown === "one two") gate.open();
    }
    const [text] = valuesOf(seen, "text");
    expect(text?.text).toBe("one two");
    // Who looked before the first piece was there was told with a name made of the old one that what it had is void.
    const [first] = valuesOf(seen, "textDelta");
    expect([text?.messageId, `${first?.messageId}#2`]).toContain(messageId);
  });
});

describe("attachments", () => {
  const PIXEL = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const bytes = (text: string) => new Uint8Array(Buffer.from(text));

  it("reach the model, where they are images, and the workspace, where they are files", async () => {
    await using live = await startLiveServer();
    const sessionId = randomUUID();
    await live.run({ sessionId, prompt: "say warm" });
    const attachments = [
      { name: "screen.png", mediaType: "image/png", data: PIXEL },
      { name: "-a note ☃.txt", mediaType: "text/plain", data: bytes("what it says") },
    ];
    const prompt = script("received", "bash cat attachments-*/*");
    const events = await live.run({ sessionId, prompt, attachments });
    expect(said(events)).toEqual([
      `image image/png ${PIXEL.length}`,
      expect.stringMatching(/^- attachments-[^/]+\/-a note ☃\.txt$/m),
    ]);
    expect(valuesOf(events, "toolResult")).toMatchObject([{ content: "what it says" }]);
    const { turn } = await live.client.getTurn({ turnId: events[0]!.turnId });
    expect(turn?.attachments).toMatchObject(
      attachments.map(({ name, mediaType, data }) => ({
        name,
        mediaType,
        size: BigInt(data.length),
      })),
    );
    expect(turn?.prompt).toBe(prompt);
  });

  it.each([
    ["out of the workspace", [{ name: "../x", mediaType: "text/plain", data: bytes("x") }]],
    ["at a place of its own", [{ name: "/etc/x", mediaType: "text/plain", data: bytes("x") }]],
    ["nowhere", [{ name: "..", mediaType: "text/plain", data: bytes("x") }]],
    ["with a NUL", [{ name: "a\0b", mediaType: "text/plain", data: bytes("x") }]],
    ["twice", ["x", "x"].map((name) => ({ name, mediaType: "text/plain", data: bytes("x") }))],
    ["as no image that the model takes", [{ name: "x", mediaType: "image/tiff", data: PIXEL }]],
    ["as another image than it is", [{ name: "x", mediaType: "image/jpeg", data: PIXEL }]],
    ["without a type", [{ name: "x", mediaType: "", data: bytes("x") }]],
    [
      "larger than is allowed",
      [{ name: "x", mediaType: "text/plain", data: new Uint8Array(1025) }],
    ],
  ])("that are sent %s are refused, and nothing is done", async (_what, attachments) => {
    await using live = await startLiveServer({ BREAKGLASS_MAX_ATTACHMENT_BYTES: "1024" });
    const sessionId = randomUUID();
    const refused = refusalOf(live.client.runTurn({ sessionId, prompt: "say x", attachments }));
    expect(await refused).toMatchObject({
      code: "InvalidArgument",
      fields: [expect.stringMatching(/^attachments/)],
    });
    expect(await refusalOf(live.client.getSession({ sessionId }))).toMatchObject({
      code: "NotFound",
    });
    expect(readdirSync(join(live.server.root, "data"), { recursive: true })).not.toContain("x");
  });

  it("are part of what a request_id stands for", async () => {
    await using live = await startLiveServer();
    const requestId = randomUUID();
    const request = {
      prompt: "say one",
      requestId,
      attachments: [{ name: "x", mediaType: "text/plain", data: bytes("x") }],
    };
    const [first] = await live.run(request);
    expect((await live.run(request))[0]?.turnId).toBe(first?.turnId);
    const other = [{ name: "x", mediaType: "text/plain", data: bytes("y") }];
    const reused = live.client.runTurn({ ...request, attachments: other });
    expect(await refusalOf(reused)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });
});
