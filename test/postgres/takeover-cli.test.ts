import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, inject, it } from "vitest";
import { NoticeReason, type TurnEvent, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { bash, type Script, say } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { OWN_CLI } from "../support/installed-clis.ts";
import { eventually } from "../support/processes.ts";
import { makeDatabase, without } from "./databases.ts";
import { type Replica, startReplica } from "./several-servers.ts";

const cluster = inject("cluster");

const SCRIPT: Script = [
  { when: "the word", steps: [say("Noted.")] },
  { when: "look for long", steps: [bash("tail -f /dev/null")] },
  {
    when: "Which word",
    steps: [say(({ prompts }) => `It was ${/word is (\w+)/.exec(prompts.join())?.[1]}.`)],
  },
];

/** Runs a turn to its end, as soon as the session's home is known to be gone. */
async function runOnceMoved({ client }: Replica, sessionId: string, prompt: string) {
  const run = async (): Promise<TurnEvent[] | undefined> => {
    try {
      return await collect(client.runTurn({ sessionId, prompt }));
    } catch (error) {
      expect(ConnectError.from(error).code).toBe(Code.Unavailable);
      return undefined;
    }
  };
  return (await eventually(run, (events) => events !== undefined, 90_000))!;
}

const said = (events: readonly TurnEvent[]) => valuesOf(events, "text").map(({ text }) => text);

describe.skipIf(cluster === undefined)(
  `a session of the real CLI whose server was killed in a turn${without(cluster)}`,
  () => {
    it("goes on at another one with its conversation, and its log begins with what was lost", {
      timeout: 240_000,
    }, async () => {
      await using database = await makeDatabase(cluster!);
      await using cleanup = new AsyncDisposableStack();
      const model = await startScriptedModel(SCRIPT);
      cleanup.defer(() => model.stop());
      const settings = {
        ...{ BREAKGLASS_AGENT_COMMAND: OWN_CLI.command, IS_SANDBOX: "1" },
        ...{ ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: "made-up" },
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      };
      await using one = await startReplica(database, settings);
      await using other = await startReplica(database, settings);
      const first = await collect(one.client.runTurn({ prompt: "the word is heliotrope" }));
      const { sessionId } = first[0]!;
      expect(said(first)).toEqual(["Noted."]);
      const kept = () => database.query("SELECT 1 FROM transcript_heads");
      await eventually(kept, ({ length }) => length === 1, 30_000);
      await using lost = new EventReader(
        one.client.runTurn({ sessionId, prompt: "look for long" }),
      );
      await lost.until("tool");
      await one.process.end("SIGKILL");

      const next = await runOnceMoved(other, sessionId, "Which word was it?");
      const [notice] = valuesOf(next, "notice");
      expect(notice).toMatchObject({ reason: NoticeReason.SESSION_MOVED, remembers: true });
      expect(valuesOf(next, "session")[0]?.resumed).toBe(true);
      expect(said(next)).toEqual(["It was heliotrope."]);
      const { turns } = await other.client.listTurns({ sessionId });
      const { SUCCEEDED, LOST } = TurnState;
      expect(turns.map(({ state }) => state)).toEqual([SUCCEEDED, LOST, SUCCEEDED]);
      // What is said here is kept from here on.
      const rows = () => database.query("SELECT DISTINCT generation FROM transcripts");
      expect(await rows()).toEqual([{ generation: 1 }]);
    });
  },
);
