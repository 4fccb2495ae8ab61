import { create } from "@bufbuild/protobuf";
import { TextDeltaEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";

interface Block {
  text: string;
  /** Where each piece ends, and how many events came before it. */
  readonly pieces: { readonly end: number; readonly after: number }[];
}

/** A piece of the same block, of one that takes its place, or of another message; or the word that there is none. */
export type WrittenPiece = "on" | "again" | "another" | "void";

/** Text as an agent writes it, piece by piece; no two blocks begin alike. */
export class WrittenText {
  readonly #blocks: Block[] = [];
  #isOpen = false;
  #messages = 0;

  /** What of the newest block is not void. */
  get newest(): string {
    return this.#isOpen ? this.#blocks.at(-1)!.text : "";
  }

  /** What an agent gives for a piece that comes after so many events. */
  write(how: WrittenPiece, text: string, after: number): EventKind[] {
    const batch: EventKind[] = [];
    if (how === "again" || how === "void") batch.push(this.#delta(""));
    if (how === "void") {
      this.settle();
      return batch;
    }
    if (how === "another") this.#messages++;
    const isNew = how !== "on" || !this.#isOpen;
    if (isNew) this.#blocks.push({ text: "", pieces: [] });
    this.#isOpen = true;
    const block = this.#blocks.at(-1)!;
    const piece = isNew ? `<${this.#blocks.length}>${text}` : text;
    // An empty piece would say something else.
    if (piece === "") return batch;
    block.text += piece;
    block.pieces.push({ end: block.text.length, after });
    return [...batch, this.#delta(piece)];
  }

  /** It is void. */
  settle(): void {
    this.#isOpen = false;
  }

  /** What is wrong with showing a text to who has so many events; undefined: nothing. */
  faultOf(shown: string, cursor: number): string | undefined {
    const block = this.#blocks.find(({ text }) => text.startsWith(shown));
    if (block === undefined) return `shows "${shown}", which no block begins with`;
    const { after } = block.pieces.find(({ end }) => end >= shown.length)!;
    return after > cursor ? `shows at ${cursor} what came after ${after}` : undefined;
  }

  #delta(text: string): EventKind {
    const value = create(TextDeltaEventSchema, { text, messageId: `msg_${this.#messages}` });
    return { case: "textDelta", value };
  }
}
