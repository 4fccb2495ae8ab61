import { create } from "@bufbuild/protobuf";
import { NoticeEventSchema, NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import type { SessionRecord } from "../store/records.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";

/** So many ids that are not the session's are looked into and told of in one turn. */
const MAX_REFUSED = 10;

/**
 * Which conversations are a session's own, of those that its agent says it holds: what an agent prints, its commands can
 * print too.
 *
 * 1. An id is the session's own only where the agent's adapter finds nothing that says otherwise and the store has it as no
 *    other session's; from then on it is on record.
 * 2. No event that was looked into names a conversation that is not the session's own.
 */
export class OwnConversations {
  readonly #session: SessionRecord;
  readonly #surroundings: Pick<TurnSurroundings, "store" | "agents" | "log">;
  readonly #epoch: number;
  readonly #own: Set<string>;
  readonly #refused = new Set<string>();
  #current: string;

  /** @param epoch - Of the lease under which the turn is written. */
  constructor(
    session: SessionRecord,
    epoch: number,
    surroundings: Pick<TurnSurroundings, "store" | "agents" | "log">,
  ) {
    this.#session = session;
    this.#epoch = epoch;
    this.#surroundings = surroundings;
    this.#current = session.agentSessionId;
    this.#own = new Set([this.#current]);
  }

  /** The conversation that the session goes on with. */
  get current(): string {
    return this.#current;
  }

  /** Whether something in a batch, or the id that the agent gave last, has to be looked into first. */
  isUnknown(batch: readonly EventKind[], given: string): boolean {
    return given !== this.#current || batch.some((kind) => foreignId(kind, this.#current));
  }

  /**
   * Looks into the ids in a batch and the one that the agent gave last. What is not the session's own is taken out of the
   * batch, and a notice put in.
   *
   * @throws Refusal STORAGE, FENCED.
   */
  async lookInto(batch: EventKind[], given: string): Promise<void> {
    for (const kind of [...batch]) {
      if (kind.case !== "session" || !foreignId(kind, this.#current)) continue;
      if (!(await this.#check(kind.value.agentSessionId, batch))) {
        kind.value.agentSessionId = this.#current;
      }
    }
    if (given !== this.#current && (await this.#check(given, batch))) this.#current = given;
  }

  /** Has a batch that cannot be looked into name the session's present conversation only. */
  disown(batch: readonly EventKind[]): void {
    for (const kind of batch) {
      if (kind.case === "session" && foreignId(kind, this.#current)) {
        kind.value.agentSessionId = this.#current;
      }
    }
  }

  async #check(id: string, batch: EventKind[]): Promise<boolean> {
    if (this.#own.has(id)) return true;
    if (this.#refused.has(id) || this.#refused.size >= MAX_REFUSED) return false;
    const { agents, store, log } = this.#surroundings;
    const { sessionId, sessionKey, agentKind, workspace } = this.#session;
    const isOwn =
      (await agents.of(agentKind).isOwnConversation(id, sessionKey, workspace)) &&
      (await store.claimConversation(sessionKey, id, this.#epoch));
    if (isOwn) this.#own.add(id);
    else {
      this.#refused.add(id);
      log.warn("an agent claimed a conversation that is not its session's", { sessionId });
      // Before the rest: what ends a turn stays the last.
      batch.unshift(refusedNotice());
    }
    return isOwn;
  }
}

/** Whether an event names another conversation than the present one. */
function foreignId(kind: EventKind, current: string): boolean {
  return (
    kind.case === "session" &&
    kind.value.agentSessionId !== "" &&
    kind.value.agentSessionId !== current
  );
}

function refusedNotice(): EventKind {
  const message =
    "The agent, or something that it ran, said that it holds a conversation which is not this session's; the session keeps its own";
  const value = create(NoticeEventSchema, { reason: NoticeReason.AGENT_WARNING, message });
  return { case: "notice", value };
}
