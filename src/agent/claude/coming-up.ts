import type { z } from "zod";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { errorEvent, label, noticeEvent, sessionEvent } from "../events.ts";
import { SHIPPED_AGENT } from "./agent-definition.ts";
import type { CostCount } from "./cost-count.ts";
import { isUuid } from "./ids.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";
import { readMessage } from "./read-message.ts";
import { ServerFailures } from "./server-failures.ts";
import { agentUnknown } from "./stderr-causes.ts";

const ANOTHER =
  "The agent came up with another conversation than the session's; it may not remember what came before";

/** What a turn asked for, as far as the CLI's coming up must agree with it. */
export interface ExpectedAgent {
  /** The agent definition that was asked for. */
  readonly agent: string;
  /** The agent goes on with a conversation that it has. */
  readonly resumed: boolean;
  /** The conversation that it was asked to open. Unset: unknown. */
  readonly agentSessionId?: string;
  /** What was told of the process's servers. Unset: nothing. */
  readonly serverFailures?: ServerFailures;
}

/** The agent's signs of life in one turn, and the conversation's id in them. */
export class ComingUp {
  readonly #expected: ExpectedAgent;
  readonly #costs: CostCount;
  readonly #serverFailures: ServerFailures;
  #agentUnknown = false;
  #agentSessionId: string | undefined;
  #initialized = false;
  #resetTold = false;

  constructor(expected: ExpectedAgent, costs: CostCount) {
    this.#expected = expected;
    this.#costs = costs;
    this.#serverFailures = expected.serverFailures ?? new ServerFailures();
  }

  /** It came up without the definition that was asked for, and has been told of as an error. */
  get agentUnknown(): boolean {
    return this.#agentUnknown;
  }

  /** The newest id of the conversation that the CLI gave and that it can be resumed by: a UUID. */
  get agentSessionId(): string | undefined {
    return this.#agentSessionId;
  }

  /** It came up: it said so, or spoke. */
  get initialized(): boolean {
    return this.#initialized;
  }

  /** Appends what a `system/init` means. */
  init(message: Message, into: EventKind[]): void {
    const parsed = readMessage(messages.init, message, into);
    if (parsed === undefined) return;
    const { agent } = this.#expected;
    this.#costs.version = parsed.claude_code_version ?? "";
    // Only the first init counts: the definition's file may go while the agent works.
    const agents = this.#initialized ? [] : namesIn(parsed.agents ?? []);
    // Fed by stdin, 2.1.330 takes an unknown definition without a word and goes on as its own default (measured).
    // The shipped definition is handed over with the arguments, so that the CLI need not list it.
    if (agent !== SHIPPED_AGENT && agents.length > 0 && !agents.includes(agent)) {
      this.#agentUnknown = true;
      const { reason, message: text } = agentUnknown(agent, agents);
      into.push({ case: "error", value: errorEvent(reason, text) });
      return;
    }
    this.sign(parsed, into);
    this.#serverFailures.note(parsed.mcp_servers ?? [], into);
  }

  /** It gave a sign of life. Only the first makes an event; ids are taken from every one. */
  sign(sign: Partial<z.output<typeof messages.init>>, into: EventKind[]): void {
    if (sign.session_id !== undefined) this.#noteSessionId(sign.session_id);
    if (this.#initialized) return;
    this.#initialized = true;
    const { resumed, agentSessionId } = this.#expected;
    const isAnother =
      Boolean(sign.session_id && agentSessionId) && sign.session_id !== agentSessionId;
    into.push(
      sessionEvent({
        agentSessionId: isUuid(sign.session_id ?? "") ? sign.session_id! : "",
        model: label(sign.model),
        agent: this.#expected.agent,
        agentVersion: label(sign.claude_code_version),
        resumed: resumed && !isAnother,
      }),
    );
    if (resumed && isAnother && !this.#resetTold)
      into.push(noticeEvent(NoticeReason.CONVERSATION_RESET, ANOTHER));
  }

  /** Appends what a `conversation_reset` means. */
  reset(message: Message, into: EventKind[]): void {
    const parsed = readMessage(messages.conversationReset, message, into);
    if (parsed === undefined) return;
    this.#noteSessionId(parsed.new_conversation_id);
    this.#resetTold = true;
    const text = "The agent began an empty conversation; it does not remember what came before";
    into.push(noticeEvent(NoticeReason.CONVERSATION_RESET, text));
  }

  /** Only a UUID becomes an argument of the CLI or a part of a path. */
  #noteSessionId(id: string): void {
    if (isUuid(id)) this.#agentSessionId = id;
  }
}

/** A list of names; empty where something in it is none. */
function namesIn(list: readonly unknown[]): readonly string[] {
  return list.every((name) => typeof name === "string") ? list : [];
}
