import { registerKeepingPlace } from "../server/keeping.ts";
import type { Attached } from "./attachments.ts";
import {
  type Choices,
  type DraftPlace,
  forgetDraft,
  type KeptDraft,
  keepDraft,
  NO_CHOICES,
  readDraft,
} from "./draft-keeping.ts";
import { newId } from "./new-id.ts";

const KEEP_MS = 200;
/** Those that are being written in this window. */
const open = new Set<Draft>();
registerKeepingPlace({
  forget(principal) {
    for (const draft of open) if (draft.principal === principal) draft.forget();
  },
});

/**
 * A prompt that is being written.
 *
 * 1. It has one `request_id` until it is known to be a turn, or is changed after it may have become one.
 * 2. It is kept by the tab until it is known to be a turn.
 */
export class Draft {
  text = $state("");
  choices = $state.raw<Choices>(NO_CHOICES);
  attachments = $state.raw<readonly Attached[]>([]);
  /** When it was sent, where it is not known what came of that. */
  sentAt = $state<number>();
  readonly #place: DraftPlace;
  #requestId: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isForgotten = false;

  constructor(place: DraftPlace) {
    this.#place = place;
    open.add(this);
    const kept = readDraft(place);
    this.#requestId = kept?.requestId ?? newId();
    if (kept === undefined) return;
    this.text = kept.text;
    this.choices = kept.choices;
    this.attachments = kept.attachments;
    this.sentAt = kept.sentAt;
  }

  /** Whose it is. */
  get principal(): string {
    return this.#place.principal;
  }

  get requestId(): string {
    return this.#requestId;
  }

  get isEmpty(): boolean {
    return this.text.trim() === "" && this.attachments.length === 0;
  }

  /** All of it: whoever depends on this depends on each change. */
  get kept(): KeptDraft {
    const { text, choices, attachments, sentAt } = this;
    return { text, choices, attachments, sentAt, requestId: this.#requestId };
  }

  /** Keeps it soon: with each key that would take too long. */
  keepSoon(): void {
    this.#timer ??= setTimeout(this.keep, KEEP_MS);
  }

  /** Keeps it now. */
  readonly keep = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isForgotten) return;
    const { kept } = this;
    const isNothing = this.isEmpty && kept.choices === NO_CHOICES;
    if (isNothing) forgetDraft(this.#place);
    else keepDraft(this.#place, kept);
  };

  /** It is on its way: a page that is loaded anew sends the same again. */
  sent(): void {
    this.sentAt = Date.now();
    this.keep();
  }

  /** It was refused: nothing came of it. */
  refused(): void {
    this.sentAt = undefined;
    this.keep();
  }

  /** What is sent from now on is something else than what may be a turn by now. */
  renew(): void {
    this.#requestId = newId(); // 1.
    this.sentAt = undefined;
    this.keep();
  }

  /** It is a turn now: the next one begins. */
  clear(): void {
    this.text = "";
    this.attachments = [];
    this.choices = { ...this.choices, recall: false };
    this.#requestId = newId(); // 1.
    this.sentAt = undefined;
    forgetDraft(this.#place); // 2.
  }

  /** Nobody writes it for now. */
  leave(): void {
    this.keep();
    // What is on its way comes back to it: until then it can be forgotten.
    if (this.sentAt === undefined) open.delete(this);
  }

  /** Nothing is kept any more, whatever was to be. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#isForgotten = true;
    forgetDraft(this.#place);
  }
}
