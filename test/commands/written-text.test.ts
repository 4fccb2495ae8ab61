import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NoticeReason, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { WrittenText } from "../../src/commands/written-text.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

const piece = (text: string, messageId = "m1"): Kind => ({
  case: "textDelta",
  value: { text, messageId },
});
const whole = (text: string, messageId = "m1"): Kind => ({
  case: "text",
  value: { text, messageId },
});
const notice: Kind = { case: "notice", value: { reason: NoticeReason.AGENT_SILENT } };

function screen(...kinds: Kind[]): string {
  const written = new WrittenText({ style: (_style, text) => text });
  return kinds.map((kind) => written.next(create(TurnEventSchema, { kind }))).join("");
}

/** A text in pieces, however it is cut between characters. */
const cutText = fc
  .array(
    fc.string({
      unit: fc.constantFrom(
        "a",
        "\n",
        "\r",
        "\r\n",
        "\u001b",
        "é",
        "🔥",
        "❤",
        "\ufe0f",
        "\ud83d",
        "\udd25",
        "\u{e0041}",
      ),
    }),
  )
  .filter((pieces) => pieces.join("") !== "");

describe("text as it is written", () => {
  it("is on the screen once and as the whole text is, however it was cut and however much of it came", () => {
    fc.assert(
      fc.property(cutText, fc.nat(20), (pieces, count) => {
        const text = whole(pieces.join(""));
        const shown = pieces.slice(0, count).map((part) => piece(part));
        expect(screen(...shown, text)).toBe(screen(text));
      }),
    );
  });

  it("is shown before the whole text comes", () => {
    expect(screen(piece("I lo"), piece("ok"))).toBe("I look");
  });

  it("of a text that comes otherwise is said to be void", () => {
    expect(screen(piece("I lo"), whole("We see."))).toBe(
      "I lo\n[the unfinished text above is void, this is the text]\nWe see.\n",
    );
  });

  it("of a message that is begun anew is said to be void", () => {
    const again = [piece("I lo"), piece("I look", "m2"), piece(".", "m2"), whole("I look.", "m2")];
    expect(screen(...again)).toBe(
      "I lo\n[the unfinished text above is void, the agent begins anew]\nI look.\n",
    );
  });

  it("of a turn that ends in the middle is said to be unfinished", () => {
    expect(screen(piece("I lo"), { case: "error", value: { message: "gone" } })).toBe(
      "I lo\n[the text above was never finished]\nEnded by UNSPECIFIED: gone\n",
    );
  });

  it("goes on behind what comes between its pieces, on a line of its own", () => {
    expect(screen(piece("I lo"), notice, piece("ok"), whole("I look."))).toBe(
      "I lo\n! AGENT_SILENT\nok.\n",
    );
  });

  it("is not taken for what a subagent says meanwhile", () => {
    const subagent: Kind = { case: "text", value: { text: "I too", parentToolId: "t" } };
    expect(screen(piece("I lo"), subagent, whole("I look"))).toBe("I lo\n    I too\nok\n");
  });

  it("of a second block is its own", () => {
    expect(screen(piece("one"), whole("one"), piece("two"), whole("two"))).toBe("one\ntwo\n");
  });

  it("is nothing where nothing came before the end", () => {
    expect(screen({ case: "result", value: {} })).toBe("Succeeded\n");
  });
});
