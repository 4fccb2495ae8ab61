import { describe, expect, it } from "vitest";
import { bash, error, hang, type Script, say } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";

const TOOLS = [{ name: "Bash", description: "", input_schema: { type: "object" } }];

function ask(url: string, messages: object[], tools: object[] = TOOLS): Promise<Response> {
  return fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": "made-up" },
    body: JSON.stringify({ model: "claude-x", max_tokens: 100, messages, tools }),
  });
}

const prompt = { role: "user", content: "repair it" };

async function withModel(script: Script, use: (url: string) => Promise<void>): Promise<void> {
  const model = await startScriptedModel(script);
  try {
    await use(model.url);
  } finally {
    await model.stop();
  }
}

describe("startScriptedModel", () => {
  it("plays a turn call by call, with what a tool printed", async () => {
    const script: Script = [
      {
        when: "repair",
        steps: [say("I look."), bash("cat x"), say((c) => `It says ${c.toolOutputs.at(-1)}.`)],
      },
    ];
    await withModel(script, async (url) => {
      const first = await (await ask(url, [prompt])).json();
      expect(first).toMatchObject({
        stop_reason: "tool_use",
        content: [
          { type: "text", text: "I look." },
          { type: "tool_use", name: "Bash", input: { command: "cat x" } },
        ],
      });
      const { id } = first.content[1];
      const result = { type: "tool_result", tool_use_id: id, content: "42" };
      const history = [prompt, { role: "assistant", content: first.content }];
      const second = await ask(url, [...history, { role: "user", content: [result] }]);
      expect(await second.json()).toMatchObject({
        stop_reason: "end_turn",
        content: [{ type: "text", text: "It says 42." }],
      });
    });
  });

  it("fails as often as it is told to", async () => {
    await withModel(
      [{ when: "repair", steps: [error(529, "full", 2), say("ok")] }],
      async (url) => {
        const statuses = [];
        for (const _ of [1, 2, 3]) statuses.push((await ask(url, [prompt])).status);
        expect(statuses).toEqual([529, 529, 200]);
      },
    );
  });

  it("refuses a prompt that the script does not know, and more calls than it has", async () => {
    await withModel([{ when: "repair", steps: [say("ok")] }], async (url) => {
      const unknown = await ask(url, [{ role: "user", content: "dance" }]);
      const tooMany = await ask(url, [prompt, { role: "assistant", content: "ok" }]);
      expect([unknown.status, tooMany.status]).toEqual([400, 400]);
    });
  });

  it("answers the agent's side calls and token counts", async () => {
    await withModel([], async (url) => {
      expect((await ask(url, [prompt], [])).status).toBe(200);
      const count = await fetch(`${url}/v1/messages/count_tokens`, { method: "POST", body: "{}" });
      expect(await count.json()).toEqual({ input_tokens: expect.any(Number) });
    });
  });

  it("lets go of calls that it never answers when it stops", async () => {
    const model = await startScriptedModel([{ when: "repair", steps: [hang()] }]);
    const held = ask(model.url, [prompt]).then(
      ({ status }) => status,
      () => "cut",
    );
    await expect.poll(() => model.requests.length).toBe(1);
    await model.stop();
    expect([503, "cut"]).toContain(await held);
  });
});
