import { describe, expect, it } from "vitest";
import { askedCall } from "../src/doing/asked-call.ts";

describe("what a call is shown as", () => {
  it("is its command, and whether there is more", () => {
    expect(askedCall("Bash", '{"command":"ls"}')).toEqual({
      as: "command",
      command: "ls",
      hasMore: false,
    });
    expect(askedCall("Bash", '{"command":"ls","__proto__":{}}')).toMatchObject({ hasMore: true });
  });

  it.each([
    ["a command twice", '{"command":"ls","command":"rm -rf /"}'],
    ["a command twice, once in escapes", '{"command":"ls","\\u0063ommand":"rm -rf /"}'],
    ["a command that is no text", '{"command":["rm","-rf"]}'],
    ["a command that is only inherited", '{"__proto__":{"command":"ls"}}'],
    ["no object", '"command"'],
  ])("is all of its input where that has %s", (_what, input) => {
    expect(askedCall("Bash", input)).toEqual({ as: "json" });
  });
});
