import { randomUUID } from "node:crypto";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ErrorReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { ExaminedAgent } from "./examined-agent.ts";
import { bash, type Script, say } from "./script.ts";

/** One thing that the adapter of the CLI rests on. */
export interface AgentFact {
  /** What it is called in JSON. */
  readonly name: string;
  /** What holds, as a sentence. */
  readonly holds: string;
  /** What does not work where it does not hold. */
  readonly without: string;
  /** Answers what was seen instead; undefined where it holds. Throws where nothing could be seen. */
  check(agent: ExaminedAgent): Promise<string | undefined>;
}

/** Literal text that begins as commands and file mentions of the CLI do. */
const LITERAL = "/cost is no command here, and @/etc/hostname no file";

/** What the model does when it is examined. */
export function examinationScript(gate: string): Script {
  const waiting = `while [ ! -e '${gate}' ]; do sleep 0.1; done; echo behind`;
  return [
    { when: LITERAL, steps: [say("Read literally.")] },
    { when: "run a command", steps: [bash("echo $((6 * 7))"), say("It ran.")] },
    {
      when: "change a file",
      steps: [bash(`touch '${gate}-asked' && echo $((6 * 7))`), say("Done.")],
    },
    { when: "Which word", steps: [say(({ prompts }) => `It was ${wordIn(prompts)}.`)] },
    { when: "the word is", steps: [say("Noted.")] },
    { when: "wait for me", steps: [bash(waiting), say("Done waiting.")] },
    { when: "endless", steps: [bash("tail -f /dev/null"), say("Never.")] },
    { when: () => true, steps: [say("A text that is long enough to come in several pieces.")] },
  ];
}

/** All of them, in the order in which they are looked at. */
export const AGENT_FACTS: readonly AgentFact[] = [
  {
    name: "answers",
    holds: "it comes up, says its version, and gives one result behind the model's text",
    without: "no turn can be run with it at all",
    check: async (agent) => {
      const events = await agent.run({ prompt: "hello" });
      const isTold = of(events, "session").some(({ agentVersion }) => agentVersion !== "");
      const hasText = textIn(events).includes("long enough");
      return failure(events) ?? needs(isTold, "no version") ?? needs(hasText, "no text");
    },
  },
  {
    name: "pieces",
    holds: "text comes in pieces as it is written, which join to the whole",
    without: "text is shown by whole blocks alone",
    check: async (agent) => {
      const events = await agent.run({ prompt: "hello", textDeltas: true });
      const pieces = of(events, "textDelta").map(({ text }) => text);
      const joined = pieces.slice(pieces.lastIndexOf("") + 1).join("");
      return (
        failure(events) ??
        needs(pieces.length > 1, "no pieces") ??
        needs(textIn(events).startsWith(joined), "other pieces than the text")
      );
    },
  },
  {
    name: "literal-prompt",
    holds: "a prompt reaches the model as it is, whatever it begins with",
    without: "a prompt that begins with / or has an @ is a command or a file's content",
    check: async (agent) => {
      const events = await agent.run({ prompt: LITERAL });
      const seen = agent.prompts().some((prompt) => prompt.startsWith(LITERAL));
      return failure(events) ?? needs(seen, "the model was sent something else");
    },
  },
  {
    name: "tools",
    holds: "a command that the model asks for runs, and its output comes back",
    without: "the agent can repair nothing",
    check: async (agent) => {
      const events = await agent.run({ prompt: "run a command" });
      const output = of(events, "toolResult").some(({ content }) => content.includes("42"));
      return failure(events) ?? needs(output, "no output of the command");
    },
  },
  {
    name: "next-turn",
    holds: "a process takes the session's next turn, and remembers the one before",
    without: "each turn needs a process of its own (BREAKGLASS_MAX_WARM_PROCESSES=0)",
    check: (agent) => checkMemory(agent, async () => {}),
  },
  {
    name: "resume",
    holds: "another process goes on with the conversation",
    without: "what was said is forgotten with the process, as by a restart of the server",
    check: (agent) => checkMemory(agent, () => agent.restart()),
  },
  {
    name: "interrupt",
    holds: "an interrupt ends a command that runs, and the turn, and not the process",
    without: "a turn can only be cancelled, with its process",
    check: async (agent) => {
      const sessionId = randomUUID();
      const events = await agent.run({ sessionId, prompt: "endless" }, async (event, client) => {
        if (event.kind.case === "tool") await client.interruptTurn({ turnId: event.turnId });
      });
      const canceled = of(events, "error").some(({ reason }) => reason === ErrorReason.CANCELED);
      if (!canceled) return failure(events) ?? "the turn went on";
      return failure(await agent.run({ sessionId, prompt: "hello" }));
    },
  },
  {
    name: "steer",
    holds: "a message that comes while a command runs joins the turn",
    without: "a message waits until the turn has ended, or is lost",
    check: async (agent) => {
      const events = await agent.run({ prompt: "wait for me" }, async (event, client) => {
        if (event.kind.case !== "tool") return;
        await client.steerTurn({ turnId: event.turnId, message: "and mind the gap" });
        await writeFile(agent.gate, "");
      });
      return failure(events) ?? needs(agent.saw("mind the gap"), "the model never had the message");
    },
  },
  {
    name: "ask",
    holds: "in the mode ASK a tool call waits for an answer, and runs once it is allowed",
    without: "the mode ASK cannot be used",
    check: async (agent) => {
      const request = { prompt: "change a file", permissionMode: PermissionMode.ASK };
      const events = await agent.run(request, async ({ kind, turnId }, client) => {
        if (kind.case !== "approvalRequest") return;
        const decision = { case: "allow", value: {} } as const;
        await client.resolveApproval({ turnId, approvalId: kind.value.approvalId, decision });
      });
      const asked = of(events, "approvalRequest").length === 1;
      const ran = of(events, "toolResult").some(({ content }) => content.includes("42"));
      return failure(events) ?? needs(asked, "nobody was asked") ?? needs(ran, "it did not run");
    },
  },
  {
    name: "untrusting",
    holds: "in the mode ASK no hook of the configuration directory runs by itself",
    without: "what lies in a workspace or a configuration runs unasked: do not use the mode ASK",
    check: async (agent) => {
      const planted = join(agent.root, "planted");
      const hooks = {
        SessionStart: [{ hooks: [{ type: "command", command: `touch '${planted}'` }] }],
      };
      await writeFile(join(agent.configDir, "settings.json"), JSON.stringify({ hooks }));
      const events = await agent.run({ prompt: "hello", permissionMode: PermissionMode.ASK });
      const ran = await access(planted).then(
        () => true,
        () => false,
      );
      return failure(events) ?? needs(!ran, "a hook ran that nobody allowed");
    },
  },
];

async function checkMemory(
  agent: ExaminedAgent,
  between: () => Promise<void>,
): Promise<string | undefined> {
  const sessionId = randomUUID();
  const first = await agent.run({ sessionId, prompt: "the word is heliotrope" });
  await between();
  const second = await agent.run({ sessionId, prompt: "Which word was it?" });
  const isResumed = of(second, "session").some(({ resumed }) => resumed);
  return (
    failure(first) ??
    failure(second) ??
    needs(isResumed, "it did not go on with the conversation") ??
    needs(textIn(second).includes("heliotrope"), "it does not remember what was said")
  );
}

function wordIn(prompts: readonly string[]): string {
  return /word is (\w+)/.exec(prompts.join("\n"))?.[1] ?? "none";
}

/** How a turn failed. Undefined: it did not. */
function failure(events: readonly TurnEvent[]): string | undefined {
  const [error] = of(events, "error");
  if (error !== undefined) return error.message;
  const [result] = of(events, "result");
  if (result === undefined) return "the turn had no end";
  return result.isError ? result.result : undefined;
}

function needs(isMet: boolean, instead: string): string | undefined {
  return isMet ? undefined : instead;
}

function textIn(events: readonly TurnEvent[]): string {
  return of(events, "text")
    .map(({ text }) => text)
    .join("\n");
}

type Kind = Exclude<TurnEvent["kind"], { case: undefined }>;

function of<C extends Kind["case"]>(events: readonly TurnEvent[], kindCase: C) {
  type Value = Extract<Kind, { case: C }>["value"];
  return events.flatMap(({ kind }) => (kind.case === kindCase ? [kind.value as Value] : []));
}
