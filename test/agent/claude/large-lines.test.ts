import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { casesOf, INIT, reasonsOf, toolLine, translate, valuesOf } from "./lines.ts";

/** So many entries of a list are looked at. */
const MOST = 10_000;

function blocks(type: string, count: number, block: string): string {
  return `{"type":"${type}","message":{"content":[${Array(count).fill(block).join()}]}}`;
}

describe("a line with very many parts", () => {
  it("has every tool's numbers as they were written, at the cost of one look at the line", () => {
    const block = '{"type":"tool_use","id":"t","name":"n","input":{"x":1.0}}';
    // A look for each of them took eight minutes.
    const tools = valuesOf(translate(blocks("assistant", MOST, block)).events, "tool");
    expect(tools).toHaveLength(MOST);
    expect(new Set(tools.map((tool) => tool.inputJson))).toEqual(new Set(['{"x":1.0}']));
    const denials = Array(MOST).fill('{"tool_input":{"x":1.0}}').join();
    const { events } = translate(`{"type":"result","permission_denials":[${denials}]}`);
    expect(valuesOf(events, "result")[0]?.permissionDenials.at(-1)?.inputJson).toBe('{"x":1.0}');
  });

  it.each([
    ["assistant", '{"type":"text","text":"x"}', "text"],
    ["assistant", '{"type":"text"}', "notice"],
    ["user", '{"type":"tool_result","tool_use_id":"t"}', "toolResult"],
    ["user", '{"type":"tool_result"}', "notice"],
  ])("becomes at most 10,000 events and a notice: %s, %s", (type, block, kind) => {
    const { events } = translate(blocks(type, 100_000, block));
    expect(events).toHaveLength(1 + MOST + 1);
    expect(casesOf(events).slice(0, 2)).toEqual(["session", kind]);
    expect(reasonsOf(events).at(-1)).toBe(NoticeReason.MALFORMED_OUTPUT);
    expect(valuesOf(events, "notice").at(-1)?.message).toBe(
      "The agent printed a message of 100000 blocks; those after the first 10000 were skipped",
    );
  });

  it("has a tool's answer of very many parts cut, and says so", () => {
    const parts = Array(100_000).fill('{"type":"text","text":"x"}').join();
    const block = `{"type":"tool_result","tool_use_id":"t","content":[${parts}]}`;
    const [result] = valuesOf(translate(blocks("user", 1, block)).events, "toolResult");
    expect(result?.content).toBe(`${"x\n".repeat(MOST)}[90000 more parts]`);
  });

  it("comes up whatever the list of agents is", () => {
    const agents = Array(400_000).fill(1);
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
