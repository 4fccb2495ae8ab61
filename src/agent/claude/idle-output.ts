import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import type { IdleEvents } from "../idle-events.ts";
import type { ThrownAway } from "./framing.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import type { RefusalCause } from "./malformed.ts";
import type { ServerFailures } from "./server-failures.ts";
import type { TaskEnds } from "./task-ends.ts";
import { type Replies, refuseQuestion } from "./tool-questions.ts";
import { ClaudeTranslation } from "./translation.ts";
import type { TurnReader } from "./turn-reader.ts";

/** So often may it begin to work by itself between two prompts: as often as tasks are followed that may end. */
const MAX_OWN_WORK = 1000;

/** Whose output it is. */
export interface IdleConversation extends Replies {
  /** Empty: it waits for a session. */
  readonly sessionKey: string;
  readonly setup: { readonly agent: string };
  /** What is told once of the process, whoever is told it. */
  readonly taskEnds: TaskEnds;
  readonly serverFailures: ServerFailures;
  /** It begins work of its own, which somebody may take up. */
  offerOwnWork(): void;
  /** Its state is in doubt, and it is ended; `why` goes on from "the agent". */
  distrust(why: string): void;
}

/**
 * What the CLI prints while no turn is running: kept for the session's next turn, so that nothing is lost. It usually is
 * the end of a task in the background, or what a subagent there does.
 */
export class IdleOutput implements TurnReader {
  readonly #conversation: IdleConversation;
  readonly #events: IdleEvents;
  #translation: ClaudeTranslation;
  /** How often it began to work by itself since it was last given a prompt. */
  #ownWork = 0;

  constructor(conversation: IdleConversation, events: IdleEvents) {
    this.#conversation = conversation;
    this.#events = events;
    this.#translation = this.#begin();
  }

  /**
   * A turn begins: gives up what was kept for it.
   *
   * @param isAtWork - On something of its own, which the turn's prompt has not ended.
   */
  handOver(isAtWork: boolean): EventKind[] {
    if (!isAtWork) this.#ownWork = 0;
    const untold: EventKind[] = [];
    this.#translation.finish(untold);
    return [...this.#events.drain(), ...untold];
  }

  /** Keeps what a turn did not take, for the next one. */
  keep(left: readonly EventKind[]): void {
    this.#events.keep(left);
  }

  cameUp(): void {
    if (this.#conversation.sessionKey === "") {
      this.#conversation.distrust("began to work for nobody");
    } else if (++this.#ownWork > MAX_OWN_WORK) this.#stopOwnWork();
    else this.#conversation.offerOwnWork();
  }

  message(message: Message, line: LineContent): void {
    const events: EventKind[] = [];
    this.#translation.append(message, line, events);
    this.#note(events, line.printedBytes);
    if (this.#translation.ended) this.#translation = this.#begin();
  }

  malformed(thrown: ThrownAway, messages: number): void {
    const events: EventKind[] = [];
    this.#translation.malformed(thrown, messages, events);
    if (events.length === 0) this.#events.complain(thrown.bytes);
    this.#note(events, thrown.bytes);
  }

  refused(bytes: number, cause: RefusalCause): void {
    const events: EventKind[] = [];
    this.#translation.refused(bytes, cause, events);
    if (events.length === 0) this.#events.complain(bytes);
    this.#note(events, bytes);
  }

  asked(message: Message): void {
    refuseQuestion(message, this.#conversation);
  }

  strayed(): void {
    this.#conversation.distrust("spoke out of turn");
  }

  /** Nothing was sent, nothing asked and nothing given on that these could be about. */
  takenUp(): void {}
  withdrawn(): void {}
  distrusted(): void {}
  flush(): void {}
  ended(): void {}

  #note(events: readonly EventKind[], printedBytes: number): void {
    this.#events.note(events, printedBytes);
    if (this.#events.isFull) this.#conversation.distrust("printed without end");
  }

  /** Each piece is a turn: they would use up all that the session may have, and the disk. */
  #stopOwnWork(): void {
    const why = `began to work by itself more than ${MAX_OWN_WORK} times without a prompt`;
    const text = `The agent ${why}, and was ended`;
    this.#events.keep([noticeEvent(NoticeReason.AGENT_WARNING, text)]);
    this.#conversation.distrust(why);
  }

  #begin(): ClaudeTranslation {
    const { setup, taskEnds, serverFailures } = this.#conversation;
    return new ClaudeTranslation({ ...setup, resumed: false, taskEnds, serverFailures });
  }
}
