import { create } from "@bufbuild/protobuf";
import { ApprovalDecision, SteerEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent/agent.ts";
import { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { SteerRequest } from "../store/writes.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import { Approvals, type Decision, decisionOf, EXPIRED_ANSWER, turnEnded } from "./approvals.ts";
import type { TurnLifecycle } from "./turn-lifecycle.ts";
import type { TurnLog } from "./turn-log.ts";
import type { TurnRecorder } from "./turn-recorder.ts";

/** A message for a running turn. */
export interface Steer {
  readonly message: string;
  readonly principal: string;
  /** Empty: it is not to be found again. */
  readonly requestId: string;
}

/** The turn that they are for. */
interface InputTurn {
  readonly log: TurnLog;
  readonly life: TurnLifecycle;
  /** The agent gets its time anew. */
  heard(): void;
  /** An approval is asked for, or decided. */
  tell(kind: EventKind): void;
  /** Its log is larger than it may be. */
  endFull(): void;
}

/**
 * What comes into a running turn from outside its agent: messages, and answers to approvals.
 *
 * 1. An approval is on disk before the agent hears of it. One that its answerer was told is not on record does not count.
 * 2. A message is handed to the agent first: it goes on record where anything that follows it does. Who was told that it is
 *    not there yet learns by the same request what became of it.
 */
export class TurnInputs {
  readonly approvals: Approvals;
  readonly #turn: InputTurn;
  #recorder: TurnRecorder | undefined;

  constructor(turn: InputTurn) {
    this.#turn = turn;
    this.approvals = new Approvals(
      (approvalId) => this.#expire(approvalId),
      (kind) => turn.tell(kind),
    );
  }

  /** Has them go on record there. To be called once, before anything comes. */
  recordIn(recorder: TurnRecorder): void {
    this.#recorder = recorder;
  }

  /** As `RunningTurn.steer`. */
  async steer({ message, principal, requestId }: Steer, caller: Caller): Promise<number> {
    if (!this.#turn.life.steer(message)) throw this.#ended();
    const value = create(SteerEventSchema, { message, principal, requestId });
    const request = requestId === "" ? undefined : { principal, requestId, message };
    return this.record({ case: "steer", value }, request, caller).catch((error) => {
      throw steerFailed(error); // 2.
    });
  }

  /** As `RunningTurn.resolveApproval`. */
  async resolve(
    id: string,
    answer: ApprovalAnswer,
    caller?: Caller,
    decision: Decision = decisionOf(answer),
  ): Promise<void> {
    this.approvals.check(id);
    if (this.#turn.life.isEnding) throw this.#ended();
    const decided = this.approvals.decide(id, decision, caller?.name);
    await this.record(decided, undefined, caller);
    // 1. It may have ended meanwhile.
    if (this.#turn.life.answer(id, answer)) this.#turn.heard();
  }

  /**
   * Puts an event on record that is not the agent's. Resolves with its sequence once it is on disk.
   *
   * @param caller - Who brought it about. Undefined: the server.
   * @throws Refusal STORAGE, FENCED.
   */
  async record(kind: EventKind, steer?: SteerRequest, caller?: Caller): Promise<number> {
    const { log, endFull } = this.#turn;
    const sequence = this.#recorder!.append(kind, steer, caller);
    if (this.#recorder!.isFull) endFull();
    await log.settled;
    // What came behind it may have failed.
    if (log.lastSequence < sequence) throw log.failure!;
    return sequence;
  }

  /** Where its log has failed it is not known yet what the end is, or whether what was handed over is on record. */
  #ended(): Error {
    return this.#turn.log.failure ?? turnEnded();
  }

  #expire(approvalId: string): void {
    const expired = { decision: ApprovalDecision.EXPIRED };
    // It was decided in the same moment, or the turn is ending.
    void this.resolve(approvalId, EXPIRED_ANSWER, undefined, expired).catch(() => {});
  }
}

function steerFailed(error: unknown): unknown {
  if (!(error instanceof Refusal) || error.reason !== "STORAGE") return error;
  const message = `the agent has the message, and it is not on record yet: ask again with the same request_id to learn whether it is (${error.message})`;
  return new Refusal("STORAGE", message, error.details);
}
