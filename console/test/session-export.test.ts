import {
  SessionSchema,
  type TurnEvent,
  TurnEventSchema,
  TurnSchema,
  TurnState,
} from "@breakglass/client";
import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { marked, type Tokens } from "marked";
import { describe, expect, it } from "vitest";
import { type ExportFormat, exportText } from "../src/session/export.ts";
import { eventText } from "../src/session/export-markdown.ts";
import { fenced, inlineCode, prose, quoted } from "../src/session/markdown-text.ts";

const at = timestampFromDate(new Date("2026-01-02T03:04:05Z"));
const session = create(SessionSchema, { sessionId: "s", principal: "alice", agentKind: "claude" });
const turns = ["1", "2"].map((turnId) =>
  create(TurnSchema, {
    turnId,
    prompt: "# Not a heading",
    state: TurnState.SUCCEEDED,
    createTime: at,
  }),
);
const event = (init: MessageInitShape<typeof TurnEventSchema>) =>
  create(TurnEventSchema, { createTime: at, ...init });
const events: TurnEvent[] = [
  event({ sequence: 1, kind: { case: "text", value: { text: "It opens a fence:\n```sh\nls" } } }),
  event({
    sequence: 2,
    kind: { case: "tool", value: { name: "Bash", inputJson: '{"command":"echo ```"}' } },
  }),
  event({
    sequence: 3,
    kind: { case: "toolResult", value: { content: "````\n# not a heading\n<!-- not a comment" } },
  }),
  event({ sequence: 4, kind: { case: "result", value: { result: "Done." } } }),
];

async function exported(format: ExportFormat): Promise<string> {
  const read = async function* () {
    yield* events;
  };
  const all = { session, turns, version: "1.2.3", now: new Date(0), events: read };
  let text = "";
  for await (const part of exportText(all, format)) text += part;
  return text;
}

/** Texts that are likely to end what they stand in. */
const nasty = fc
  .array(
    fc.constantFrom(
      "`",
      "```",
      "~~~",
      "````",
      "\n",
      "> ",
      "# ",
      "<!--",
      "<pre>",
      "-->",
      "x",
      " ",
      "- ",
      "    ",
      "\r\n",
      "<script>",
      "[a]: b",
      "***",
    ),
  )
  .map((parts) => parts.join(""));

describe("an export as Markdown", () => {
  it("has each turn below a heading, whatever was written in it", async () => {
    const headings = marked
      .lexer(await exported("markdown"))
      .flatMap((token) => (token.type === "heading" ? [(token as Tokens.Heading).text] : []));
    const ofTurn = ["Prompt", "Result"];
    expect(headings).toEqual(["Session s", "Turn 1 of 2", ...ofTurn, "Turn 2 of 2", ...ofTurn]);
  });

  it("shows a command as a command", () => {
    expect(eventText(events[1]!)).toContain("````sh\necho ```\n````");
  });

  it("keeps any text in its fence", () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const [code, ...rest] = marked.lexer(`${fenced(text)}\n\nafter`);
        expect(code).toMatchObject({ type: "code" });
        expect(rest.filter(({ type }) => type !== "space")).toMatchObject([
          { type: "paragraph", text: "after" },
        ]);
      }),
    );
  });

  it.each([
    ["prose", prose],
    ["a quotation", quoted],
  ])("ends with it what %s opens", (_what, written) => {
    fc.assert(
      fc.property(nasty, (text) => {
        const last = marked.lexer(`${written(text)}\n\n# after`).at(-1);
        expect(last).toMatchObject({ type: "heading", text: "after" });
      }),
    );
  });

  it("keeps a name within its line", () => {
    fc.assert(
      fc.property(nasty, (text) => {
        expect(inlineCode(text)).not.toMatch(/[\r\n]/);
      }),
    );
  });
});

describe("an export as JSON", () => {
  it("is the proto's own, turn by turn", async () => {
    const json = JSON.parse(await exported("json"));
    expect(json).toMatchObject({ serverVersion: "1.2.3", session: { principal: "alice" } });
    expect(json.turns).toHaveLength(2);
    const [turn] = json.turns;
    expect(fromJson(TurnSchema, turn.turn)).toEqual(turns[0]);
    expect(turn.events.map((one: never) => fromJson(TurnEventSchema, one))).toEqual(events);
  });
});
