import { createConnectTransport } from "@connectrpc/connect-web";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { createBreakglassClient, TurnState } from "#client";
import type { ScriptDocument, StepDocument } from "#client/testing";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { type Stage, stage } from "./console.ts";

const COMMAND = "systemctl restart gateway";

function asking(input: object = { command: COMMAND }, more: Partial<ScriptDocument> = {}) {
  const approval = {
    tool: "Bash",
    input,
    title: "Restart the gateway",
    allowed: [{ text: "It runs again." }],
    denied: [{ text: "Then I leave it." }],
  };
  return { turns: [{ steps: [{ approval } as StepDocument] }], ...more } as ScriptDocument;
}

const ASK = { BREAKGLASS_PERMISSION_MODE: "ask" };

/** A client beside the page's, of whoever has the token. */
function clientOf({ fake }: Stage, token?: string) {
  return createBreakglassClient(
    createConnectTransport({
      baseUrl: fake.url,
      interceptors: [
        (next) => (request) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    }),
  );
}

/** Starts a turn that asks, and answers with its approval. */
async function ask(running: Stage, token?: string) {
  const client = clientOf(running, token);
  for await (const { event } of client.runTurn({ prompt: "Repair the gateway." })) {
    if (event?.kind.case === "approvalRequest") {
      return { client, turnId: event.turnId, approvalId: event.kind.value.approvalId };
    }
  }
  throw new Error("nothing was asked");
}

const cardOf = (page: Page) => page.getByRole("article", { name: "Bash asks" });

describe.skipIf(lacksBrowser)(`an approval in the console${withoutBrowser}`, () => {
  it("is shown as it would run, and allowed by a press", async () => {
    await using running = await stage({ script: asking(), settings: ASK });
    const { client, turnId } = await ask(running);
    const page = await running.open(`/turns/${turnId}`);
    const card = cardOf(page);
    await card.getByText(COMMAND, { exact: true }).waitFor();
    await card.getByText("Restart the gateway").waitFor();
    await card.getByRole("button", { name: "Allow" }).click();
    await card.getByText("Allowed by local").waitFor();
    await page.getByText("It runs again.").first().waitFor();
    expect((await client.getTurn({ turnId })).turn?.state).toBe(TurnState.SUCCEEDED);
    expect(running.complaints).toEqual([]);
  });
});
