import { create } from "@bufbuild/protobuf";
import { NoticeEventSchema, NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";

/** Tells of a silence after a while, and again each time that it has lasted twice as long. */
export class Silence {
  readonly #firstMs: number;
  readonly #tell: (lastedMs: number) => void;
  #toldAfterMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell - Told how long the silence has lasted. */
  constructor(firstMs: number, tell: (lastedMs: number) => void) {
    this.#firstMs = firstMs;
    this.#tell = tell;
  }

  /** The silence, if there was one, is over, and the next begins. */
  heard(): void {
    if (this.#toldAfterMs === 0 && this.#timer !== undefined) this.#timer.refresh();
    else {
      clearTimeout(this.#timer);
      this.#toldAfterMs = 0;
      this.#timer = setTimeout(this.#lasts, this.#firstMs);
    }
  }

  /** Ends it. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #lasts = (): void => {
    const lasted = this.#toldAfterMs === 0 ? this.#firstMs : 2 * this.#toldAfterMs;
    this.#timer = setTimeout(this.#lasts, lasted);
    this.#toldAfterMs = lasted;
    this.#tell(lasted);
  };
}

/** Says that the model is silent. */
export function silenceNotice(lastedMs: number, idleTimeoutMs: number): EventKind {
  const message = `The model has sent nothing for ${lastedMs / 1000} s. The turn ends where the agent prints nothing for ${idleTimeoutMs / 1000} s.`;
  const value = create(NoticeEventSchema, { reason: NoticeReason.AGENT_SILENT, message });
  return { case: "notice", value };
}
