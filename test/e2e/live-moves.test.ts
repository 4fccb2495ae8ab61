import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { type BodyRecorder, startBodyRecorder } from "../../src/drill/body-recorder.ts";
import type { Conversation } from "../../src/drill/conversation.ts";
import { bash, type Script, type ScriptedTurn, say, tool } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { openSqliteFile } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { MovedSession } from "../../src/turns/session-moves.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import { owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { TERMS } from "../turns/two-servers.ts";
import { type CliMachine, makeMachine } from "./moved-cli.ts";

const isSubagents = ({ prompts }: Conversation) => prompts[0]?.includes("look into disks") === true;

const SCRIPT: Script = [
  {
    when: (it) => isSubagents(it),
    steps: [bash("echo from-the-subagent"), say("Disks are fine.")],
  },
  { when: "the word", steps: [say("Noted.")] },
  { when: "look", steps: [bash("seq 1 20000; echo sea-green"), say("Looked.")] },
  {
    when: "delegate",
    steps: [
      tool("Agent", {
        ...{ description: "disks", prompt: "look into disks", subagent_type: "general-purpose" },
      }),
      say("Delegated."),
    ],
  },
  {
    when: "Which word",
    steps: [say(({ prompts }) => `It was ${/word is (\w+)/.exec(prompts.join())?.[1]}.`)],
  },
];

const PROMPTS = ["the word is heliotrope", "look around", "delegate that"];

/** Two machines with a CLI each and one store, and a session on the first. */
interface Machines extends AsyncDisposable {
  readonly one: CliMachine;
  readonly other: CliMachine;
  readonly model: BodyRecorder;
  /** What the model does: a test may add to it. */
  readonly script: ScriptedTurn[];
  readonly session: MovedSession;
}

async function startMachines(command: string): Promise<Machines> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-moves-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const script = [...SCRIPT];
  const scripted = await startScriptedModel(script);
  cleanup.defer(() => scripted.stop());
  const model = cleanup.use(await startBodyRecorder(scripted.url));
  const file = await openSqliteFile(join(root, "breakglass.db"));
  cleanup.defer(() => file.close());
  const make = async (name: string, store: Store) =>
    cleanup.use(await makeMachine(join(root, name), command, model.url, store));
  // One lease for both: whose home a session is by then is another matter.
  const store = await file.openStore("one", TERMS);
  const [one, other] = [await make("one", store), await make("other", store)];
  const session = one.place(await openSession(store));
  const owning = cleanup.move();
  return { one, other, model, script, session, [Symbol.asyncDispose]: () => owning.disposeAsync() };
}

async function openSession(store: Store): Promise<MovedSession> {
  const { turn, session } = await owned(store).createTurn(turnStart());
  const event = { turnId: turn.turnId, firstSequence: 1, events: [new Uint8Array(1)], time: 2 };
  await owned(store).append({ ...event, end: SUCCEEDED });
  const { sessionId, sessionKey, agentKind, workspace } = session;
  return { sessionId, sessionKey, agentKind, workspace, conversationId: randomUUID() };
}

function valuesIn<K extends EventKind["case"]>(events: readonly EventKind[], kind: K) {
  return events.flatMap((event) =>
    event.case === kind ? [event.value as Extract<EventKind, { case: K }>["value"]] : [],
  );
}

const said = (events: readonly EventKind[]) => valuesIn(events, "text").map(({ text }) => text);

describe.each(INSTALLED_CLIS)("the real CLI $version on another machine", ({ command }) => {
  it("goes on with a conversation that was kept, in another configuration and workspace", async () => {
    await using machines = await startMachines(command);
    const { one, other, model, session } = machines;
    for (const [turn, prompt] of PROMPTS.entries()) {
      const events = await one.run(session, prompt, turn > 0);
      expect(valuesIn(events, "result")[0]).toMatchObject({ isError: false });
      await one.keep(session);
    }
    const there = other.place(session);
    expect(await other.moves.bring(there)).toEqual({ remembers: true });
    const before = model.bodies.length;
    const next = await other.run(there, "Which word was it?");
    expect(said(next)).toEqual(["It was heliotrope."]);
    expect(valuesIn(next, "notice")).toEqual([]);
    const [told] = valuesIn(next, "session");
    expect(told).toMatchObject({ resumed: true, agentSessionId: session.conversationId });
    // What the model is sent has what was said and done there.
    const sent = model.bodies.slice(before).join();
    for (const text of PROMPTS) {
      expect(sent).toContain(text);
    }
    expect(await readdir(there.workspace)).toEqual([]);
  });

  it("remembers what was said on both when it comes back to a disk that has less of it", async () => {
    await using machines = await startMachines(command);
    const { one, other, session } = machines;
    await one.run(session, "the word is heliotrope", false);
    await one.keep(session);
    const there = other.place(session);
    expect(await other.moves.bring(there)).toEqual({ remembers: true });
    await other.run(there, "the other word is vermilion");
    await other.keep(there);
    const back = one.place(session);
    expect(await one.moves.bring(back)).toEqual({ remembers: true });
    const before = machines.model.bodies.length;
    expect(said(await one.run(back, "Which word was it?"))).toEqual(["It was heliotrope."]);
    expect(machines.model.bodies.slice(before).join()).toContain("vermilion");
    await one.keep(back);
    const again = other.place(session);
    expect(await other.moves.bring(again)).toEqual({ remembers: true });
    expect(said(await other.run(again, "Which word was it?"))).toEqual(["It was heliotrope."]);
  });

  it("has subagents go on that worked on the first", async () => {
    await using machines = await startMachines(command);
    const { one, other, script, session } = machines;
    const delegated = await one.run(session, "delegate that", false);
    const results = valuesIn(delegated, "toolResult").map(({ content }) => content);
    const [, to] = /agentId: (\w+)/.exec(results.join()) ?? [];
    await one.keep(session);
    const there = other.place(session);
    expect(await other.moves.bring(there)).toEqual({ remembers: true });
    const message = "look into disks again";
    script.unshift({
      when: "ask it again",
      steps: [tool("SendMessage", { to, summary: "again", message }), say("Asked.")],
    });
    const before = machines.model.bodies.length;
    const events = await other.run(there, "ask it again");
    expect(valuesIn(events, "toolResult")[0]?.content).toMatch(/"success":true,.*[Rr]esum/);
    // The subagent's model is sent what it was told there, and here.
    const subagents = machines.model.bodies.slice(before).filter((body) => body.includes(message));
    expect(subagents.some((body) => /look into disks[^ ]/.test(body))).toBe(true);
  });

  it("begins an empty conversation where it could not be restored, and says so", async () => {
    await using machines = await startMachines(command);
    const { one, other, session } = machines;
    await one.run(session, "the word is heliotrope", false);
    const there = other.place(session);
    expect(await other.moves.bring(there)).toEqual({ remembers: false });
    const events = await other.run(there, "Which word was it?");
    expect(said(events)).toEqual(["It was undefined."]);
    const [notice] = valuesIn(events, "notice");
    expect(notice?.reason).toBe(NoticeReason.CONVERSATION_RESET);
  });
});
