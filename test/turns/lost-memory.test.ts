import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { createBreakglassClient, readTurnEvents } from "#client";
import { openGrpcConnection } from "#client/node";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import { valuesOf } from "../support/events.ts";
import { startTestServer } from "../support/test-server.ts";

/** A session's turns, none of which finds a process of the one before. */
async function startSession() {
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "0" }));
  const connection = openGrpcConnection(server.url, undefined);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);
  const sessionId = randomUUID();
  const owned = cleanup.move();
  return {
    root: server.root,
    /** Where its agent ran last. */
    workspace: () => {
      const folder = join(server.root, ".claude", "projects", "scripted");
      const [name] = readdirSync(folder);
      const [line] = readFileSync(join(folder, name!), "utf8").split("\n");
      return (JSON.parse(line!) as { cwd: string }).cwd;
    },
    take: async (prompt: string) => {
      const run = { sessionId, prompt };
      const events = await Array.fromAsync(
        readTurnEvents(client, { run }, new AbortController().signal),
      );
      return {
        resumed: valuesOf(events, "session").map(({ resumed }) => resumed),
        notices: valuesOf(events, "notice").map(({ reason, message }) => ({ reason, message })),
        texts: valuesOf(events, "text").map(({ text }) => text),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

it("a session whose conversation the agent has lost begins anew, and is told so", async () => {
  await using session = await startSession();
  expect(await session.take("say one")).toMatchObject({ resumed: [false], notices: [] });
  expect(await session.take("say two")).toMatchObject({ resumed: [true], notices: [] });
  await rm(join(session.root, ".claude", "projects"), { recursive: true });
  const third = await session.take("say three");
  expect(third.resumed).toEqual([false]);
  expect(third.notices).toEqual([
    {
      reason: NoticeReason.CONVERSATION_RESET,
      message: expect.stringContaining("does not remember what was said"),
    },
  ]);
  expect(await session.take("say four")).toMatchObject({ resumed: [true], notices: [] });
});

it("a workspace that is gone is made again, with what it lay in, and that is told", async () => {
  await using session = await startSession();
  await session.take("say one");
  const workspace = session.workspace();
  await rm(dirname(workspace), { recursive: true });
  const next = await session.take("say two");
  expect(next).toMatchObject({ resumed: [true], texts: ["two"] });
  expect(next.notices).toEqual([
    {
      reason: NoticeReason.AGENT_WARNING,
      message: expect.stringContaining("workspace was gone, and was made anew"),
    },
  ]);
  expect(existsSync(workspace)).toBe(true);
  expect(await session.take("say three")).toMatchObject({ notices: [] });
});
