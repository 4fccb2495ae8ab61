import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  ErrorEventSchema,
  ErrorReason,
  ResultEventSchema,
  TextEventSchema,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind, TerminalKind } from "../../src/agent/agent.ts";
import { isTerminal } from "../../src/agent/agent.ts";
import { Refusal } from "../../src/errors.ts";
import type { TurnRecord } from "../../src/store/records.ts";
import { decodeEvent, type EncodedEvent } from "../../src/turns/encoded-event.ts";
import { endRecordOf } from "../../src/turns/turn-end.ts";
import type { Turns } from "../../src/turns/turns.ts";
import { callerNamed } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import { CheckedReader } from "./checked-reader.ts";
import type { DrivenAgent, DrivenRun } from "./driven-agent.ts";
import type { HeldStore } from "./held-store.ts";
import { pullSubscription } from "./pulled-subscription.ts";
import { type WrittenPiece, WrittenText } from "./written-text.ts";

const PRINCIPAL = "operator";

/** The parts that turns are run by. */
export interface Workings {
  readonly turns: Turns;
  readonly agent: DrivenAgent;
  readonly store: HeldStore;
}

/** One thing that happens to a turn or to its readers; numbers are taken modulo what there is. */
export type Step =
  /** Texts, of the agent itself or of a subagent. */
  | { readonly do: "say"; readonly sizes: readonly number[]; readonly isOwn: boolean }
  /** A piece of text that is being written. */
  | { readonly do: "write"; readonly how: WrittenPiece; readonly text: string }
  | { readonly do: "subscribe"; readonly after: number; readonly textDeltas: boolean }
  | { readonly do: "resume"; readonly reader: number }
  | { readonly do: "read"; readonly reader: number; readonly pieces: number }
  | { readonly do: "vanish" | "leave"; readonly reader: number }
  | { readonly do: "hold" | "answer" | "settle" | "pass" | "cancel" }
  | { readonly do: "release"; readonly calls: number }
  | { readonly do: "end"; readonly how: "result" | "error" | "leave" | "break" };

/** A turn, what was done to it, and what its readers noted. */
export class TurnUnderTest {
  readonly record: TurnRecord;
  readonly faults: string[] = [];
  readonly readers: CheckedReader[] = [];
  #workings: Workings;
  readonly #run: DrivenRun;
  readonly #said: string[] = [];
  readonly #written = new WrittenText();
  readonly #causes = new Set<ErrorReason | "result">();
  readonly #cancels: Promise<TurnRecord | Refusal>[] = [];

  private constructor(workings: Workings, record: TurnRecord, run: DrivenRun) {
    this.#workings = workings;
    this.record = record;
    this.#run = run;
  }

  /**
   * Starts a turn, in a session of its own.
   *
   * @param timeoutMs - How long it may take; it then may end before the agent begins. Undefined: the agent has begun.
   */
  static async start(workings: Workings, timeoutMs?: number): Promise<TurnUnderTest> {
    const prompt = randomUUID();
    const none = {
      sessionId: "",
      sessionPrincipal: "",
      agentKind: "",
      model: "",
      agent: "",
      requestId: "",
    };
    const plain = { permissionMode: PermissionMode.UNSPECIFIED, attachments: [], recall: false };
    const asked = { ...none, ...plain, prompt, timeoutMs };
    const record = await workings.turns.run(asked, callerNamed(PRINCIPAL));
    const run = workings.agent.runOf(prompt);
    const turn = new TurnUnderTest(workings, record, run);
    if (timeoutMs === undefined) await run.started;
    else turn.#causes.add(ErrorReason.TURN_TIMEOUT);
    return turn;
  }

  async perform(step: Step): Promise<void> {
    const { store, turns } = this.#workings;
    switch (step.do) {
      case "say":
        return this.#say(step.sizes, step.isOwn);
      case "write":
        return this.#write(step.how, step.text);
      case "subscribe":
        return this.#subscribe(step.after % (this.#said.length + 3), step.textDeltas);
      case "resume":
        return this.#resume(step.reader);
      case "read":
        return this.#reader(step.reader)?.read(step.pieces);
      case "vanish":
        return this.#reader(step.reader)?.vanish();
      case "leave":
        return this.#reader(step.reader)?.leave();
      case "hold":
        store.isHeld = true;
        return;
      case "release":
        return store.release(step.calls);
      case "answer":
        return store.answer();
      case "pass":
        return void (await nextTurn());
      case "settle":
        return this.settle();
      case "cancel":
        this.#causes.add(ErrorReason.CANCELED);
        this.#cancels.push(
          turns.cancel(this.record.turnId, callerNamed(PRINCIPAL)).catch((error) => error),
        );
        return;
      case "end":
        return this.#end(step.how);
    }
  }

  /** Lets everything happen that can, and holds what the readers then have against what there is. */
  async settle(): Promise<void> {
    const { store, turns } = this.#workings;
    await store.settle();
    const last = store.durable(this.record.turnId);
    for (const reader of this.readers) {
      if (reader.state !== "reading" || !reader.isHungry) continue;
      if (reader.cursor !== last) this.faults.push(`waits at ${reader.cursor} of ${last}`);
      if (!reader.isCaughtUp) this.faults.push("waits, and was not told that it caught up");
      this.#checkShown(reader, last);
    }
    const counted = this.readers.filter((reader) => reader.isCounted).length;
    if (turns.subscriptions !== counted) {
      this.faults.push(`${turns.subscriptions} subscriptions of ${counted} readers`);
    }
  }

  /** Nothing of what was written is missing where everything that was said has come and the turn goes on. */
  #checkShown({ shown }: CheckedReader, last: number): void {
    if (shown === undefined || last < this.#said.length || this.#causes.size > 0) return;
    const { newest } = this.#written;
    if (shown.text !== newest) this.faults.push(`shows "${shown.text}" of "${newest}"`);
  }

  /** Another server has taken over: what is done from now on is done by it. */
  takenOverBy(workings: Workings): void {
    for (const reader of this.readers) reader.vanish();
    const { subscriptions } = this.#workings.turns;
    if (subscriptions > 0)
      this.faults.push(`${subscriptions} subscriptions of a server that is gone`);
    this.#workings = workings;
    this.#causes.add(ErrorReason.SERVER_RESTARTED);
  }

  /** Ends the turn if nothing has, has every reader read all there is, and holds all of it against what is on disk. */
  async finish(): Promise<readonly EncodedEvent[]> {
    const { store } = this.#workings;
    store.isHeld = false;
    await this.perform({ do: "cancel" });
    const ended = await this.#ended();
    await this.#subscribe(0);
    for (const reader of this.readers) reader.read(Infinity);
    await this.settle();
    for (const answer of await Promise.all(this.#cancels)) this.#checkCancel(answer);
    const log = await this.readLog();
    this.#checkLog(log, ended);
    for (const reader of this.readers) this.#checkReader(reader, log);
    return log;
  }

  /** The turn's events, as the store has them. */
  async readLog(): Promise<EncodedEvent[]> {
    return this.#workings.store.readEvents(this.record.turnId, 0, Infinity);
  }

  #say(sizes: readonly number[], isOwn: boolean): void {
    if (this.#run.isOver) return;
    const texts = sizes.map((size, i) => `${this.#said.length + i} ${"x".repeat(size)}`);
    this.#said.push(...texts);
    const parentToolId = isOwn ? "" : "toolu_1";
    const value = (text: string) => create(TextEventSchema, { text, parentToolId });
    if (isOwn && sizes.length > 0) this.#written.settle();
    this.#run.give(texts.map((text): EventKind => ({ case: "text", value: value(text) })));
  }

  #write(how: WrittenPiece, text: string): void {
    if (!this.#run.isOver) this.#run.give(this.#written.write(how, text, this.#said.length));
  }

  #end(how: Extract<Step, { do: "end" }>["how"]): void {
    if (how === "result") {
      this.#causes.add("result");
      this.#run.give([{ case: "result", value: create(ResultEventSchema, { result: "done" }) }]);
    } else if (how === "error") {
      this.#causes.add(ErrorReason.AGENT_EXITED);
      const value = create(ErrorEventSchema, { reason: ErrorReason.AGENT_EXITED });
      this.#run.give([{ case: "error", value }]);
    } else this.#causes.add(ErrorReason.AGENT_PROTOCOL);
    this.#run.leave(how === "break" ? new Error("a broken adapter") : "left");
  }

  #reader(index: number): CheckedReader | undefined {
    return this.readers[index % Math.max(1, this.readers.length)];
  }

  async #subscribe(after: number, textDeltas = true): Promise<void> {
    const { turnId } = this.record;
    const { turns, store } = this.#workings;
    const known = Math.max(0, ...this.readers.map(({ seen, cursor }) => seen.length && cursor));
    const open = (from: number, signal: AbortSignal) =>
      pullSubscription(() =>
        turns.subscribe(
          turnId,
          { afterSequence: from, textDeltas },
          callerNamed(PRINCIPAL),
          signal,
        ),
      );
    const turn = {
      durable: () => store.durable(turnId),
      faultOfShown: (text: string, cursor: number) => this.#written.faultOf(text, cursor),
    };
    const reader = new CheckedReader(after, open, turn, textDeltas);
    if (after <= known) this.#welcome.add(reader);
    this.readers.push(reader);
    reader.read(1);
  }

  /** Those who asked for what follows an event that had been seen. */
  readonly #welcome = new Set<CheckedReader>();

  async #resume(index: number): Promise<void> {
    const reader = this.#reader(index);
    if (reader === undefined) return;
    reader.vanish();
    await this.#subscribe(reader.cursor);
  }

  #ended(): Promise<TurnRecord> {
    const { store } = this.#workings;
    return eventually(
      async () => {
        await store.settle();
        return this.#workings.turns.getTurn(this.record.turnId, callerNamed(PRINCIPAL));
      },
      ({ state }) => state !== TurnState.RUNNING,
    );
  }

  #checkCancel(answer: TurnRecord | Refusal): void {
    if (answer instanceof Refusal ? answer.reason !== "STORAGE" : answer.endTime === undefined) {
      this.faults.push(`cancel answered ${JSON.stringify(answer)}`);
    }
  }

  /** What was said, as far as it came, and one end that somebody brought about. */
  #checkLog(log: readonly EncodedEvent[], record: TurnRecord): void {
    const events = log.map(decodeEvent);
    const sequences = events.map(({ sequence }) => sequence);
    if (sequences.some((sequence, i) => sequence !== i + 1)) this.faults.push(`log: ${sequences}`);
    const ends = events.flatMap(({ kind }) => (isTerminal(kind) ? [kind] : []));
    const [end] = ends;
    const last = events.at(-1)?.kind;
    if (ends.length !== 1 || end !== last || end === undefined) {
      return void this.faults.push(`${ends.length} terminal events, the last is ${last?.case}`);
    }
    for (const [index, { kind }] of events.slice(0, -1).entries()) {
      if (kind.case !== "text" || kind.value.text !== this.#said[index]) {
        return void this.faults.push(`event ${index + 1} is not what was said`);
      }
    }
    if (end.case === "result" && events.length !== this.#said.length + 1) {
      this.faults.push(`a result after ${events.length - 1} of ${this.#said.length} texts`);
    }
    this.#checkEnd(end, record);
    if (record.lastSequence !== log.length) this.faults.push(`last is ${record.lastSequence}`);
  }

  #checkEnd(end: TerminalKind, record: TurnRecord): void {
    const cause = end.case === "result" ? end.case : end.value.reason;
    if (!this.#causes.has(cause)) this.faults.push(`ended by ${cause}`);
    const { state, errorReason } = endRecordOf(end);
    if (record.state !== state || record.errorReason !== errorReason) {
      this.faults.push(`recorded as ${record.state}, ${record.errorReason}`);
    }
  }

  #checkReader(reader: CheckedReader, log: readonly EncodedEvent[]): void {
    const { after, state, seen } = reader;
    const expected = log.slice(after, after + seen.length);
    if (seen.some((event, i) => !Buffer.from(event).equals(expected[i] ?? Buffer.alloc(0)))) {
      this.faults.push(`a reader after ${after} saw other bytes than are on disk`);
    }
    if (state === "ended" && reader.cursor !== log.length) {
      this.faults.push(`a stream after ${after} ended at ${reader.cursor} of ${log.length}`);
    }
    if (state === "new" || state === "reading") this.faults.push("a stream goes on after the end");
    if (state instanceof Refusal) this.#checkRefusal(reader, state.reason);
    for (const fault of reader.faults) this.faults.push(`a reader after ${after}: ${fault}`);
  }

  #checkRefusal(reader: CheckedReader, reason: string): void {
    if (reason === "STORAGE" && this.#causes.has(ErrorReason.SERVER_RESTARTED)) return;
    if (reason === "OUT_OF_RANGE" && !this.#welcome.has(reader) && reader.seen.length === 0) return;
    this.faults.push(`a reader after ${reader.after} was refused: ${reason}`);
  }
}
