import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { casesOf, INIT, reasonsOf, toolLine, translate, valuesOf } from "./lines.ts";

/** So many entries of a list are looked at. */
const MOST = 1000;

function blocks(type: string, count: number, block: string): string {
  return `{"type":"${type}","message":{"content":[${Array(count).fill(block).join()}]}}`;
}

describe("a line with very many parts", () => {
  it("has every tool's numbers as they were written, at the cost of one look at the line", () => {
    const block = '{"type":"tool_use","id":"t","name":"n","input":{"x":1.0}}';
    // A look for each of ten times as many took eight minutes.
    const tools = valuesOf(translate(blocks("assistant", MOST, block)).events, "tool");
    expect(tools).toHaveLength(MOST);
    expect(new Set(tools.map((tool) => tool.inputJson))).toEqual(new Set(['{"x":1.0}']));
    const denials = Array(MOST).fill('{"tool_input":{"x":1.0}}').join();
    const { events } = translate(`{"type":"result","permission_denials":[${denials}]}`);
    expect(valuesOf(events, "result")[0]?.permissionDenials.at(-1)?.inputJson).toBe('{"x":1.0}');
  });

  it.each([
    ["assistant", '{"type":"text","text":"x"}', "text"],
    ["user", '{"type":"tool_result","tool_use_id":"t"}', "toolResult"],
  ])("becomes at most 1000 events and a notice: %s, %s", (type, block, kind) => {
    const { events } = translate(blocks(type, 5000, block));
    expect(events).toHaveLength(1 + MOST + 1);
    expect(casesOf(events).slice(0, 2)).toEqual(["session", kind]);
    expect(reasonsOf(events).at(-1)).toBe(NoticeReason.MALFORMED_OUTPUT);
    expect(valuesOf(events, "notice").at(-1)?.message).toBe(
      "The agent printed a message of 5000 blocks; those after the first 1000 were skipped",
    );
  });

  it.each([
    ["assistant", '{"type":"text"}'],
    ["user", '{"type":"tool_result"}'],
  ])("none of which is usable becomes some notices, with a count: %s, %s", (type, block) => {
    const { events } = translate(blocks(type, 5000, block), { type: "result" });
    const notices = valuesOf(events, "notice").map(({ message }) => message);
    expect(notices).toHaveLength(13);
    expect(notices[11]).toContain("900 more");
    expect(notices[12]).toContain("1001 were skipped so far");
  });

  it("has a tool's answer of very many parts cut, and says so", () => {
    const parts = Array(5000).fill('{"type":"text","text":"x"}').join();
    const block = `{"type":"tool_result","tool_use_id":"t","content":[${parts}]}`;
    const [result] = valuesOf(translate(blocks("user", 1, block)).events, "toolResult");
    expect(result?.content).toBe(`${"x\n".repeat(MOST)}[4000 more parts]`);
  });

  it("has the numbers of a long list as they were written, up to 20,000 that need care", () => {
    const input = (count: number) => `{"n":[${Array(count).fill("1.0").join()}],"s":"1.0"}`;
    const [tool] = valuesOf(translate(toolLine(input(20_000))).events, "tool");
    expect(tool).toMatchObject({ inputJson: input(20_000), truncated: false });
    const [more] = valuesOf(translate(toolLine(input(20_001))).events, "tool");
    expect(more).toMatchObject({ inputJson: "", truncated: true });
  });

  it("comes up whatever the list of agents is", () => {
    const agents = Array(40_000).fill(1);
    expect(casesOf(translate({ ...INIT, agents }).events)).toEqual(["session"]);
  });

  it("says of a result that it is not whole where something was left out of it", () => {
    const deep = `${"[".repeat(5000)}${"]".repeat(5000)}`;
    const many = `[${Array(MOST + 1)
      .fill("{}")
      .join()}]`;
    for (const field of [`"structured_output":${deep}`, `"permission_denials":${many}`]) {
      const { events } = translate(`{"type":"result","subtype":"success","result":"ok",${field}}`);
      expect(valuesOf(events, "result")[0]).toMatchObject({ result: "ok", truncated: true });
    }
  });

  it("has a value left out that needs care with its numbers in a line of more than 4 MiB", () => {
    const input = `{"n":1.0,"text":"${"x".repeat(5_000_000)}"}`;
    const [tool] = valuesOf(translate(toolLine(input)).events, "tool");
    expect(tool).toMatchObject({ inputJson: "", truncated: true });
    expect(tool?.totalBytes).toBe(BigInt(input.length - 2));
  });
});
