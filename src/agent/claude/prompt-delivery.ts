import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { Owner } from "../../files/owner.ts";
import type { AgentTurn, EventKind } from "../agent.ts";
import { noticeEvent } from "../events.ts";
import { type ChosenOpening, chooseOpening } from "./choose-opening.ts";
import type { Opening } from "./command-line.ts";
import type { Conversation } from "./conversation.ts";
import { userMessage } from "./input-lines.ts";
import type { SentMessages } from "./sent-messages.ts";

/** A CLI that was kept begins a turn within some 10 ms; one that prints nothing of it for so long hangs. */
const BEGIN_MS = 10_000;
/** An idle one gives a message back within a few milliseconds. */
const RECALL_MS = 1000;

/**
 * A process that the prompt was written to: one that was there before the turn; one that was started for it; or one that
 * was started because the other would have its conversation taken up differently.
 */
interface Offer {
  readonly conversation: Conversation;
  readonly process: "kept" | "fresh" | "corrected";
  /** Ends the waiting for what becomes of it. */
  readonly settle: (outcome: Outcome) => void;
}

/**
 * What became of an offer. `final`: the turn is that process's, or over. `untaken`: it has ended without having printed
 * anything of the turn. `misopened`: it has ended because its conversation is to be taken up differently. `abandoned`: the
 * turn was to stop, and the prompt was not written.
 */
type Outcome = "final" | "untaken" | "misopened" | "abandoned";

type State =
  /** No process has the prompt: one is being looked for, started, or ended to make room for another. */
  | { readonly at: "unplaced" }
  /** It was written to a process that has not been seen to begin. */
  | { readonly at: "offered"; readonly offer: Offer }
  /** The same, and the process is asked to give it back, and ended if it does; until it is gone it may yet begin. */
  | { readonly at: "recalled"; readonly offer: Offer }
  /** A process works on it, or has. For good. */
  | { readonly at: "begun" }
  /** The turn ended, or was to stop, before any process had begun. For good. */
  | { readonly at: "over" };

/** Where processes come from. */
export interface ConversationSource {
  /** The session's process, where it can take the turn. Otherwise undefined, once the session has none any more. */
  claim(turn: AgentTurn): Promise<Conversation | undefined>;
  /** Starts a process for a turn. */
  open(turn: AgentTurn, opening: Opening): Promise<Conversation>;
}

/** Follows the prompt on its way. Must not throw. */
export interface DeliveryListener {
  /** The prompt is about to be written to a process, perhaps another than before. */
  offered(conversation: Conversation): void;
  /** A process works on it: it hears an interrupt. */
  begun(): void;
  /** What the operator is to know of the way that it took. */
  noted(event: EventKind): void;
}

/** What a delivery is told of its surroundings. */
export interface DeliverySurroundings {
  readonly source: ConversationSource;
  /** Where the CLI keeps its conversations. */
  readonly directory: string;
  /** Whose that is, where it is not the server's user's. */
  readonly owner: Owner | undefined;
}

/**
 * Gets one prompt, and the messages behind it, into exactly one process of the CLI.
 *
 * ```
 * unplaced ─→ offered ─→ begun
 *     ↑          │ ↘       ↑
 *     │          │ recalled┤
 *     └──────────┴────┘    └ (over, from all but begun)
 * ```
 *
 * 1. A second process is offered it only where the first is gone and printed nothing of it: from `begun` no way leads back.
 * 2. One that was asked to give it back is believed by what it prints until it is gone, not by what it answers.
 * 3. The messages behind it go where it goes, in their order, until it is known to have been taken up.
 * 4. Once the turn is over, nothing is written to anybody.
 */
export class PromptDelivery {
  readonly #turn: AgentTurn;
  readonly #sent: SentMessages;
  readonly #listener: DeliveryListener;
  readonly #surroundings: DeliverySurroundings;
  #state: State = { at: "unplaced" };

  constructor(
    turn: AgentTurn,
    sent: SentMessages,
    listener: DeliveryListener,
    surroundings: DeliverySurroundings,
  ) {
    this.#turn = turn;
    this.#sent = sent;
    this.#listener = listener;
    this.#surroundings = surroundings;
  }

  /** Whether a process works on it, or has. */
  get hasBegun(): boolean {
    return this.#state.at === "begun";
  }

  /**
   * Looks for a process until one has the prompt. Resolves false where it was to stop before. To be called once.
   *
   * @throws what opening a conversation throws.
   */
  async deliver(): Promise<boolean> {
    const kept = await this.#surroundings.source.claim(this.#turn);
    if (kept !== undefined) {
      const outcome = await this.#offer(kept, this.#turn, "kept");
      if (outcome !== "untaken") return outcome !== "abandoned";
      this.#listener.noted(replacedNotice());
    }
    const first = await this.#choose();
    const outcome = await this.#start(first, "fresh");
    if (outcome !== "misopened") return outcome !== "abandoned";
    // What the CLI says of its own conversations counts for more than what its disk looked like.
    const second = await this.#choose(first.opening === "new" ? "resume" : "new");
    return (await this.#start(second, "corrected")) !== "abandoned";
  }

  /** The process came up for it, or took up one of the messages. */
  begin(): void {
    const state = this.#state;
    if (state.at !== "offered" && state.at !== "recalled") return;
    this.#state = { at: "begun" };
    state.offer.settle("final");
    this.#listener.begun();
  }

  /** The process spoke of something else: what else is in it nobody knows. */
  doubt(): void {
    if (this.#state.at === "offered") void this.#recall(this.#state.offer, false);
  }

  /**
   * Its process has ended.
   *
   * @param isMisopened - Because its conversation is to be taken up differently.
   * @returns Whether that ends the turn, too. Otherwise another process gets the prompt.
   */
  exited(isMisopened: boolean): boolean {
    const state = this.#state;
    if (state.at !== "offered" && state.at !== "recalled") return true;
    const { process, settle } = state.offer;
    const isAnother = process === "kept" || (process === "fresh" && isMisopened);
    this.#state = { at: isAnother ? "unplaced" : "over" };
    if (!isAnother) settle("final");
    else settle(process === "kept" ? "untaken" : "misopened");
    return !isAnother;
  }

  /** The turn is over, or to stop. */
  end(): void {
    const state = this.#state;
    if (state.at === "begun") return;
    this.#state = { at: "over" };
    if ("offer" in state) state.offer.settle("final");
  }

  #choose(known?: Opening): Promise<ChosenOpening> {
    const { directory, owner } = this.#surroundings;
    return chooseOpening(this.#turn, directory, known, owner);
  }

  async #start(chosen: ChosenOpening, process: Offer["process"]): Promise<Outcome> {
    // 4.
    if (this.#state.at === "over") return "abandoned";
    if (chosen.notice !== undefined) this.#listener.noted(chosen.notice);
    const { turn, opening } = chosen;
    return this.#offer(await this.#surroundings.source.open(turn, opening), turn, process);
  }

  /** Gives a process the prompt. One that another has to follow is gone when this resolves. */
  async #offer(
    conversation: Conversation,
    turn: AgentTurn,
    process: Offer["process"],
  ): Promise<Outcome> {
    const outcome = await this.#settled(conversation, turn, process);
    // 1.
    if (outcome !== "final") await conversation.process.close();
    return outcome;
  }

  async #settled(
    conversation: Conversation,
    turn: AgentTurn,
    process: Offer["process"],
  ): Promise<Outcome> {
    // 4.
    if (this.#state.at === "over") return "abandoned";
    const { promise, resolve: settle } = Promise.withResolvers<Outcome>();
    const offer: Offer = { conversation, process, settle };
    this.#state = { at: "offered", offer };
    this.#sent.beginPrompt();
    this.#listener.offered(conversation);
    conversation.write(userMessage(this.#sent.promptUuid, turn.prompt, turn.images, turn.files));
    // 3.
    conversation.write(this.#sent.promptWasWritten());
    // Work of its own that no turn has taken up becomes part of this one.
    if (conversation.isAtWork) this.begin();
    if (process !== "kept") return promise;
    const timer = setTimeout(() => void this.#recall(offer, true), BEGIN_MS);
    return promise.finally(() => clearTimeout(timer));
  }

  /**
   * Has a process give the prompt back, and ends it. What it does not give back it may yet begin; one that hangs is asked
   * nothing else: it is killed.
   */
  async #recall(offer: Offer, hangs: boolean): Promise<void> {
    if (!this.#isWaiting(offer)) return;
    this.#state = { at: "recalled", offer };
    const { conversation } = offer;
    const withdrawal = {
      subtype: "cancel_async_message",
      message_uuid: this.#sent.promptUuid,
    } as const;
    const answer = await conversation.control(withdrawal, RECALL_MS);
    // 2.
    if (!this.#isWaiting(offer) || (answer?.cancelled !== true && !hangs)) return;
    conversation.process.killNow();
    void conversation.process.close();
  }

  /** Whether what becomes of an offer is not known yet. */
  #isWaiting(offer: Offer): boolean {
    return "offer" in this.#state && this.#state.offer === offer;
  }
}

function replacedNotice(): EventKind {
  const text =
    "The session's process did not take the prompt and was replaced; a fresh one goes on with the conversation";
  return noticeEvent(NoticeReason.AGENT_REPLACED, text);
}
