import { describe, expect, it } from "vitest";
import { readConversation } from "../../src/drill/conversation.ts";
import { bash, error, hang, say, stepsOfCall } from "../../src/drill/script.ts";

describe("stepsOfCall", () => {
  const never = () => false;

  it("gives each call what is said and the tool that ends it", () => {
    const steps = [say("a"), say("b"), bash("c"), bash("d"), say("e")];
    const calls = [0, 1, 2, 3].map((call) => stepsOfCall(steps, call, never));
    expect(calls).toEqual([[steps[0], steps[1], steps[2]], [steps[3]], [steps[4]], []]);
  });

  it("skips what is over", () => {
    const failing = error(529, "overloaded", 1);
    const steps = [failing, say("a")];
    expect(stepsOfCall(steps, 0, never)).toEqual([failing]);
    expect(stepsOfCall(steps, 0, (step) => step === failing)).toEqual([steps[1]]);
  });

  it("ends a call with one that is never answered", () => {
    expect(stepsOfCall([say("a"), hang(), say("b")], 0, never)).toHaveLength(2);
  });
});

describe("readConversation", () => {
  it("tells prompts from the agent's reminders, and counts the calls of the last turn", () => {
    const conversation = readConversation({
      model: "claude-x",
      messages: [
        { role: "system", content: "You are an agent." },
        { role: "user", content: "<system-reminder>\nx\n</system-reminder>\n\nrepair it" },
        { role: "assistant", content: "I look." },
        { role: "tool", content: "port = 1" },
        { role: "assistant", content: null },
        { role: "user", content: [{ type: "text", text: "and now?" }] },
        { role: "assistant", content: "I look again." },
        { role: "user", content: "<system-reminder>only that</system-reminder>" },
        { role: "tool", content: "port = 2" },
      ],
    });
    expect(conversation).toEqual({
      prompts: ["repair it", "and now?"],
      toolOutputs: ["port = 1", "port = 2"],
      replies: ["I look.", "", "I look again."],
      callsInTurn: 1,
    });
  });
});
