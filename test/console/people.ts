import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Page } from "playwright-core";
import {
  type BreakglassClient,
  createBreakglassClient,
  PermissionMode,
  streamTurn,
  type TurnEvent,
} from "#client";
import type { FakeOptions, ScriptDocument } from "#client/testing";
import { type Stage, stage } from "./console.ts";

/** A stage with people who sign in by tokens, each with their roles. */
export interface PeopleStage extends Stage {
  /** A client of theirs, beside the browser. */
  clientOf(name: string): BreakglassClient;
  /** What the command line reaches the server with, as them. */
  commandsOf(name: string): Record<string, string>;
  /** A page of theirs, signed in. */
  openAs(name: string, path?: string): Promise<Page>;
}

/** Starts a fake that knows people by their names, and what their roles are: `{ alice: "operator,approver" }`. */
export async function peopleStage(
  people: Readonly<Record<string, string>>,
  options: FakeOptions & { readonly locale?: string } = {},
): Promise<PeopleStage> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "console-people-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const tokens = new Map(Object.keys(people).map((name) => [name, randomUUID()]));
  const lines = Object.entries(people).map(([name, roles]) => {
    const hash = createHash("sha256").update(tokens.get(name)!).digest("hex");
    return `sha256:${hash} ${name} roles=${roles}\n`;
  });
  const file = join(folder, "tokens");
  await writeFile(file, lines.join(""), { mode: 0o600 });
  const settings = { ...options.settings, BREAKGLASS_TOKENS_FILE: file };
  const running = cleanup.use(await stage({ ...options, settings }));
  const owned = cleanup.move();
  return {
    ...running,
    clientOf: (name) => clientAt(running.fake.url, tokens.get(name)),
    commandsOf: (name) => ({
      BREAKGLASS_URL: running.fake.url,
      BREAKGLASS_TOKEN: tokens.get(name)!,
    }),
    async openAs(name, path = "/") {
      const page = await running.open(path);
      await page.getByLabel("Token", { exact: true }).fill(tokens.get(name)!);
      await page.keyboard.press("Enter");
      await page.getByRole("banner").getByText(name).waitFor();
      return page;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A client over HTTP/1.1, as whoever has the token. */
export function clientAt(baseUrl: string, token?: string): BreakglassClient {
  return createBreakglassClient(
    createConnectTransport({
      baseUrl,
      httpVersion: "1.1",
      interceptors: [
        (next) => (request) => {
          if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    }),
  );
}

/** What browsers complained of, but for the refusal by which the page learns that it takes a token. */
export function beyondSignIn(complaints: readonly string[]): string[] {
  return complaints.filter((complaint) => !/status of 401/.test(complaint));
}

/** Starts a turn, and answers with the first of its events that is of a kind; it goes on. */
export async function startTo(
  client: BreakglassClient,
  prompt: string,
  kind: TurnEvent["kind"]["case"],
  run: { readonly sessionId?: string; readonly sessionPrincipal?: string } = {},
): Promise<TurnEvent> {
  const permissionMode = PermissionMode.ASK;
  for await (const event of streamTurn(client, { run: { prompt, permissionMode, ...run } })) {
    if (event.kind.case === kind) return event;
  }
  throw new Error(`the turn ended without ${kind}`);
}

/** What the agent of these tests does. */
export const SCRIPT: ScriptDocument = {
  turns: [
    {
      when: "restart",
      steps: [
        { text: "I look at the gateway." },
        {
          approval: {
            tool: "Bash",
            input: { command: "systemctl restart gateway" },
            title: "Restart the gateway",
            output: "restarted",
          },
        },
        { text: "It runs again." },
      ],
    },
    { when: "wait", steps: [{ text: "I wait." }, { failure: "hang" }] },
    {
      when: "crash",
      steps: [{ text: "Half." }, { failure: { exit: 3, stderr: "out of disk" } }],
    },
    {
      when: "fences",
      steps: [
        {
          tool: {
            name: "Bash",
            input: { command: "cat notes.md" },
            output: "```\ninside a fence\n````\n<script>alert(1)</script>",
          },
        },
        { text: "It ends in a fence:\n```sh\nls" },
      ],
    },
    { steps: [{ text: "Done: {{prompt}}" }] },
  ],
};
