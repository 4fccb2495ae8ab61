import { randomUUID } from "node:crypto";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { Owner } from "../../files/owner.ts";
import type { AgentTurn, EventKind } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import type { Opening } from "./command-line.ts";
import { conversationOrigin } from "./conversation-files.ts";

/** How a turn is taken up by a fresh process. */
export interface ChosenOpening {
  /** The turn, in the conversation that it is held in. */
  readonly turn: AgentTurn;
  readonly opening: Opening;
  /** What the operator is to know of the choice. */
  readonly notice?: EventKind;
}

const LOST =
  "The agent has no record of this session's conversation any more, and began an empty one: it does not remember what was said and done before. The session's turns are still on record here, each to be read again (AttachTurn; `breakglass export` prints them), and `recall` in a RunTurn request (`breakglass run --recall`) has the agent told of them";

/**
 * Chooses how a turn's conversation is taken up, by what the CLI has on disk. One that is there from somebody else is not:
 * the agent would remember what is not this session's. Then it is another, empty one.
 *
 * @param owner - As in `openOwn`.
 * @param known - What the CLI says that it takes. Undefined: it has not been asked.
 */
export async function chooseOpening(
  turn: AgentTurn,
  directory: string,
  known?: Opening,
  owner?: Owner,
): Promise<ChosenOpening> {
  const origin = await conversationOrigin(directory, turn.agentSessionId, turn.workspace, owner);
  if (origin !== "foreign") {
    const opening = known ?? (origin === undefined ? "new" : "resume");
    if (opening === "resume" || !turn.hasHistory) return { turn, opening };
    return { turn, opening, notice: noticeEvent(NoticeReason.CONVERSATION_RESET, LOST) };
  }
  const text =
    "The record that the agent has of the session's conversation was begun in another directory: it is not this session's, and the agent began an empty conversation";
  const notice = noticeEvent(NoticeReason.CONVERSATION_RESET, text);
  return { turn: { ...turn, agentSessionId: randomUUID() }, opening: "new", notice };
}
