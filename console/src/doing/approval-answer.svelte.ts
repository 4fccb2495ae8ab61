import {
  ApprovalDecision,
  type ApprovalResolutionEvent,
  type BreakglassClient,
  errorInfoOf,
  isRefusal,
  streamTurn,
  type TurnEvent,
} from "@breakglass/client";
import { msOf } from "../ui/times.ts";

/** What somebody says to a tool call that waits. */
export type Answer =
  /** `inputJson`: the input to make it with, a JSON object as text. Undefined: as the agent asked for it. */
  | { readonly allow: true; readonly inputJson?: string }
  /** `message`: what the agent is told. Empty: only that it was denied. */
  | { readonly allow: false; readonly message: string };

/** How a tool call was decided, as far as it is known. */
export interface Decided {
  readonly decision: ApprovalDecision;
  /** Empty: nobody did. */
  readonly principal: string;
  readonly message: string;
  /** With ALLOWED_CHANGED. Empty: it is not known here. */
  readonly inputJson: string;
  /** Undefined: not known here. */
  readonly time?: Date | undefined;
}

/** Where the answering stands. */
export type AnswerState =
  /** `refusal`: why the answer before was not taken. `isLost`: it had not arrived when the server was asked. */
  | { readonly at: "open"; readonly refusal?: unknown; readonly isLost?: boolean }
  | { readonly at: "sending"; readonly answer: Answer }
  /** Whether the answer arrived is not known; the server is being asked. `answer` undefined: only the time was over. */
  | { readonly at: "asking"; readonly answer?: Answer | undefined }
  /** As before, and the server could not be asked. */
  | { readonly at: "unconfirmed"; readonly answer?: Answer | undefined; readonly error: unknown }
  | { readonly at: "decided"; readonly decided: Decided }
  /** Nothing waits any more, and nobody decided. */
  | { readonly at: "over"; readonly why: "turn-ended" | "unknown" };

/** Reasons of refusals that do not say whether the answer counts. */
const DOUBTFUL: readonly string[] = ["STORAGE", "FENCED", "STREAM_ENDED"];

/**
 * What one says to a tool call that waits for an approval, and what comes of it, in whatever order that is heard of.
 *
 * 1. An answer is sent by a person's act alone, and never again by itself.
 * 2. While it is not known what came of it, no other is sent.
 * 3. A decision that was told is not taken back.
 */
export class ApprovalAnswer {
  state = $state.raw<AnswerState>({ at: "open" });
  readonly #client: BreakglassClient;
  readonly #event: TurnEvent;
  readonly #approvalId: string;
  readonly #me: () => string;
  /** Ends the question to the server. */
  #asking = new AbortController();

  /**
   * @param event - The `approval_request`.
   * @param me - Who one is.
   */
  constructor(client: BreakglassClient, event: TurnEvent, me: () => string) {
    this.#client = client;
    this.#event = event;
    this.#approvalId = event.kind.case === "approvalRequest" ? event.kind.value.approvalId : "";
    this.#me = me;
  }

  /** An answer can be given now. */
  get isOpen(): boolean {
    return this.state.at === "open";
  }

  /** Sends an answer; nothing where none can be given now. */
  async send(answer: Answer): Promise<void> {
    if (!this.isOpen) return; // 2.
    this.state = { at: "sending", answer };
    try {
      await this.#client.resolveApproval({
        turnId: this.#event.turnId,
        approvalId: this.#approvalId,
        decision: answer.allow
          ? { case: "allow", value: answer.inputJson === undefined ? {} : answer }
          : { case: "deny", value: { message: answer.message } },
      });
      this.#decide(decidedBy(answer, this.#me()));
    } catch (error) {
      await this.#heedFailure(answer, error);
    }
  }

  /** Takes the `approval_resolution`, however it was heard of. */
  heed(resolution: ApprovalResolutionEvent, time?: Date): void {
    const { decision, principal, message, inputJson } = resolution;
    this.#decide({ decision, principal, message, inputJson, time });
  }

  /** Asks the server what came of it: after an answer that was not confirmed, or when the time is over. */
  async ask(): Promise<void> {
    const { state } = this;
    if (state.at !== "unconfirmed" && state.at !== "open") return;
    await this.#ask(state.at === "unconfirmed" ? state.answer : undefined);
  }

  /** Asks nothing any more. */
  leave(): void {
    this.#asking.abort();
  }

  async #heedFailure(answer: Answer, error: unknown): Promise<void> {
    if (this.state.at !== "sending") return; // 3.
    const info = errorInfoOf(error);
    switch (info?.reason) {
      case "APPROVAL_RESOLVED":
        this.#decide(told(info.metadata));
        return await this.#ask(undefined); // Who, when and with which words.
      case "APPROVAL_EXPIRED":
        return this.#decide(told({ decision: "EXPIRED" }));
      case "TURN_ENDED":
        return this.#end("turn-ended");
      case "APPROVAL_NOT_FOUND":
      case "NOT_FOUND":
        return this.#end("unknown");
    }
    const isTaken = info === undefined ? isRefusal(error) : !DOUBTFUL.includes(info.reason);
    if (isTaken) this.state = { at: "open", refusal: error };
    else await this.#ask(answer); // 1.
  }

  /** Reads what the turn's log has behind the request: everything that was decided is there. */
  async #ask(answer: Answer | undefined): Promise<void> {
    const wasDecided = this.state.at === "decided";
    if (!wasDecided) this.state = { at: "asking", answer };
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    try {
      const found = await this.#findInLog(signal);
      if (found !== "waits" && found !== "turn-ended") this.heed(found.value, found.time);
      else if (this.#isAsking()) {
        this.state =
          found === "waits"
            ? { at: "open", isLost: answer !== undefined }
            : { at: "over", why: "turn-ended" };
      }
    } catch (error) {
      if (!signal.aborted && this.#isAsking()) this.state = { at: "unconfirmed", answer, error };
    }
  }

  async #findInLog(signal: AbortSignal) {
    const { turnId, sequence } = this.#event;
    const attach = { turnId, afterSequence: sequence };
    let hasEnded = false;
    for await (const { kind, createTime } of streamTurn(this.#client, { attach }, { signal })) {
      if (kind.case === "approvalResolution" && kind.value.approvalId === this.#approvalId) {
        return { value: kind.value, time: createTime && new Date(msOf(createTime)) };
      }
      if (kind.case === "result" || kind.case === "error") hasEnded = true;
      if (kind.case === "checkpoint" && kind.value.caughtUp && !hasEnded) return "waits";
    }
    return "turn-ended";
  }

  #isAsking(): boolean {
    return this.state.at === "asking";
  }

  #decide(decided: Decided): void {
    const known = this.state.at === "decided" ? this.state.decided : undefined;
    // 3. What is told later may say more of the same.
    if (known !== undefined && known.time !== undefined) return;
    this.state = { at: "decided", decided };
    if (decided.time !== undefined) this.#asking.abort();
  }

  #end(why: "turn-ended" | "unknown"): void {
    this.state = { at: "over", why };
  }
}

function decidedBy(answer: Answer, principal: string): Decided {
  if (!answer.allow) {
    const { message } = answer;
    return { decision: ApprovalDecision.DENIED, principal, message, inputJson: "" };
  }
  const { inputJson = "" } = answer;
  const decision = inputJson === "" ? ApprovalDecision.ALLOWED : ApprovalDecision.ALLOWED_CHANGED;
  return { decision, principal, message: "", inputJson };
}

/** What a refusal's metadata tells of a decision. */
function told({ decision = "", principal = "" }: Readonly<Record<string, string>>): Decided {
  const value = ApprovalDecision[decision as keyof typeof ApprovalDecision];
  return {
    decision: value ?? ApprovalDecision.UNSPECIFIED,
    principal,
    message: "",
    inputJson: "",
  };
}
