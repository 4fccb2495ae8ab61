import {
  type BreakglassClient,
  errorInfoOf,
  isRefusal,
  streamTurn,
  type Turn,
} from "@breakglass/client";
import { Draft } from "./draft.svelte.ts";
import { bytesOf } from "./text-size.ts";

/** What the server takes of a message for a running turn. */
export const MOST_STEER_BYTES = 64 * 1024;

/** Where a message for a running turn stands. */
export type SteeringState =
  /** `refusal`: why the one before was not taken. `isTold`: the one before was. */
  | { readonly at: "ready"; readonly refusal?: unknown; readonly isTold?: boolean }
  | { readonly at: "sending" }
  /** Whether it arrived is not known; the server is being asked. */
  | { readonly at: "asking" }
  /** As before, and it is not among what the server has, or the server could not be asked. */
  | { readonly at: "unconfirmed" };

/** Reasons of refusals after which the agent may have the message. */
const DOUBTFUL: readonly string[] = ["STORAGE", "FENCED", "STREAM_ENDED"];

/**
 * Tells a running turn's agent what somebody writes.
 *
 * 1. A message is sent by a person's act alone; where it is sent again, it has the same `request_id`, and is told once.
 */
export class Steering {
  readonly draft: Draft;
  state = $state.raw<SteeringState>({ at: "ready" });
  readonly #client: BreakglassClient;
  readonly #turn: () => Turn;
  #asking = new AbortController();
  /** What was sent is behind this sequence of the turn. */
  #sentBehind = 0;

  /** @param me - Who one is: what is written is nobody else's. */
  constructor(client: BreakglassClient, turn: () => Turn, me: string) {
    this.#client = client;
    this.#turn = turn;
    this.draft = new Draft({ principal: me, name: `draft/steer/${turn().turnId}` });
  }

  readonly bytes = $derived.by(() => bytesOf(this.draft.text));

  get isGood(): boolean {
    return this.draft.text.trim() !== "" && this.bytes <= MOST_STEER_BYTES;
  }

  get isStill(): boolean {
    return this.state.at !== "ready";
  }

  /** Sends it, or the same again. */
  async send(): Promise<void> {
    const { draft, state } = this;
    if (state.at === "sending" || state.at === "asking" || !this.isGood) return;
    this.state = { at: "sending" };
    draft.sent();
    const { turnId, lastSequence } = this.#turn();
    if (state.at !== "unconfirmed") this.#sentBehind = lastSequence;
    const request = { turnId, message: draft.text, requestId: draft.requestId };
    try {
      await this.#client.steerTurn(request);
      this.#told();
    } catch (error) {
      const reason = errorInfoOf(error)?.reason;
      const isRefused = reason === undefined ? isRefusal(error) : !DOUBTFUL.includes(reason);
      if (!isRefused) return await this.#ask();
      draft.refused();
      this.state = { at: "ready", refusal: error };
    }
  }

  /** After a reload: what was on its way then may have arrived. It is not sent again. */
  async resume(): Promise<void> {
    if (this.draft.sentAt !== undefined) await this.#ask();
  }

  /** What is written becomes another message than the one that may have arrived. */
  change(): void {
    if (this.state.at !== "unconfirmed") return;
    this.draft.renew();
    this.state = { at: "ready" };
  }

  leave(): void {
    this.#asking.abort();
  }

  /** Looks for it in the turn's log. */
  async #ask(): Promise<void> {
    this.state = { at: "asking" };
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const isThere = await this.#isInLog(signal).catch(() => false);
    if (isThere) this.#told();
    else this.state = { at: "unconfirmed" }; // 1.
  }

  async #isInLog(signal: AbortSignal): Promise<boolean> {
    const attach = { turnId: this.#turn().turnId, afterSequence: this.#sentBehind };
    for await (const { kind } of streamTurn(this.#client, { attach }, { signal })) {
      if (kind.case === "steer" && kind.value.requestId === this.draft.requestId) return true;
      if (kind.case === "checkpoint" && kind.value.caughtUp) return false;
    }
    return false;
  }

  #told(): void {
    this.draft.clear();
    this.state = { at: "ready", isTold: true };
  }
}
