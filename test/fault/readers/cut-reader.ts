import { setTimeout as delay } from "node:timers/promises";
import { isLive } from "#client/turn-state";
import { isEnd } from "../log-rules.ts";
import { between, chance, oneOf } from "../random.ts";
import { decodedEvent, Envelopes, type ReceivedEvent, receivedEvent } from "./envelopes.ts";
import type { Cut, RawConnection, RawStream } from "./raw-connection.ts";
import type { TurnCopies } from "./turn-copies.ts";
import type { Way } from "./ways.ts";

/** What readers that are cut have found, summed up over those of a process. */
export interface CutFindings {
  /** Durable events that were delivered. */
  delivered: number;
  /** Cuts that were made, by their kind. */
  readonly cuts: Record<string, number>;
  /** Streams that had to be asked for again after one. */
  interrupted: number;
  readonly faults: string[];
}

/** One connection at a time, opened when it is needed; readers of HTTP/2 may share it, and are cut together then. */
export interface Seat {
  open(): RawConnection;
}

/** When cuts come: after at most so much of either. */
export interface CutPace {
  readonly cuts: number;
  readonly withinBytes: number;
  readonly withinMs: number;
}

const CUTS: readonly (Cut | "cancel")[] = ["reset", "reset", "destroy", "end", "cancel"];
const PAUSE_MS = 40;

/** A client that loses its connection again and again and comes back for what it has not got. */
export class CutReader {
  readonly #way: Way;
  readonly #seat: Seat;
  readonly #turnId: string;
  readonly #copies: TurnCopies;
  readonly #findings: CutFindings;
  #cutsLeft: number;
  readonly #pace: CutPace;
  #sequence = 0;
  #last: ReceivedEvent | undefined;

  constructor(
    way: Way,
    seat: Seat,
    turnId: string,
    pace: CutPace,
    copies: TurnCopies,
    findings: CutFindings,
  ) {
    this.#way = way;
    this.#seat = seat;
    this.#turnId = turnId;
    this.#pace = pace;
    this.#cutsLeft = pace.cuts;
    this.#copies = copies;
    this.#findings = findings;
  }

  /**
   * Reads the turn to its end, however often it is cut. Resolves with the sequence of the last event.
   *
   * @param after - Where it begins.
   */
  async read(after: number): Promise<number> {
    this.#sequence = after;
    this.#last = undefined;
    while (await this.#readOnce()) {
      this.#findings.interrupted++;
      if (chance(0.5)) await delay(between(1, PAUSE_MS));
    }
    return this.#sequence;
  }

  /** Reads until the stream is over; whether that was because of a cut. */
  #readOnce(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const connection = this.#seat.open();
    let status: string | undefined;
    let isCut = false;
    let left = Number.POSITIVE_INFINITY;
    let timer: NodeJS.Timeout | undefined;
    let stream: RawStream | undefined;
    const cut = () => {
      if (isCut) return;
      isCut = true;
      clearTimeout(timer);
      this.#cut(connection, stream);
      resolve(true);
    };
    const envelopes = new Envelopes({
      message: (bytes) => this.#take(bytes),
      status: (told) => {
        status = told;
      },
    });
    if (this.#cutsLeft > 0) {
      if (chance(0.5)) left = Math.floor(this.#pace.withinBytes * Math.random() ** 2);
      else timer = setTimeout(cut, between(0, this.#pace.withinMs));
    }
    stream = connection.attach(this.#way, this.#turnId, this.#sequence, {
      body: (bytes) => {
        if (isCut) return;
        // A client that is cut has what came before, to the byte, and nothing of what comes after.
        envelopes.push(bytes.length > left ? bytes.subarray(0, left) : bytes);
        left -= bytes.length;
        if (left <= 0) cut();
      },
      grpcStatus: (told) => {
        status ??= told;
      },
      over: (broken) => {
        clearTimeout(timer);
        if (isCut) return;
        isCut = true;
        if (broken !== undefined && connection.wasCut) resolve(true);
        else resolve(this.#ended(broken, status));
      },
    });
    return promise;
  }

  #cut(connection: RawConnection, stream: RawStream | undefined): void {
    this.#cutsLeft--;
    const how = oneOf(CUTS);
    const what = `${how}, HTTP/${this.#way.http}`;
    this.#findings.cuts[what] = (this.#findings.cuts[what] ?? 0) + 1;
    if (how !== "cancel") connection.cut(how);
    else stream?.cancel();
  }

  #take(message: Buffer): void {
    const event = receivedEvent(message, this.#way.isJson);
    if (event.sequence === 0) {
      this.#takeTransient(event);
      return;
    }
    const expected = this.#sequence + 1;
    if (event.sequence !== expected) {
      this.#fault(`received event ${event.sequence} in place of ${expected}`);
    }
    if (!this.#copies.agrees(this.#turnId, event.sequence, event.bytes)) {
      this.#fault(`event ${event.sequence} is not what it was before`);
    }
    this.#sequence = event.sequence;
    this.#last = { sequence: event.sequence, bytes: Uint8Array.from(event.bytes) };
    this.#findings.delivered++;
  }

  #takeTransient(event: ReceivedEvent): void {
    const { kind } = decodedEvent(event);
    if (kind.case !== "checkpoint") return;
    if (kind.value.sequence !== this.#sequence) {
      this.#fault(`a checkpoint tells ${kind.value.sequence} after event ${this.#sequence}`);
    }
    // Who comes back with everything is told only this.
    if (!isLive(kind.value.state)) this.#last = event;
  }

  /** Looks at a stream that nobody cut. Whether to go on, which is never so. */
  #ended(broken: string | undefined, status: string | undefined): false {
    const last = this.#last && decodedEvent(this.#last);
    const isOver = last !== undefined && (isEnd(last) || last.kind.case === "checkpoint");
    const place = `after event ${this.#sequence}`;
    if (broken !== undefined) this.#fault(`a stream that nobody cut broke ${place}: ${broken}`);
    else if (status !== "0") this.#fault(`a stream ended with status ${status}`);
    else if (!isOver) this.#fault(`a stream ended ${place}, and its turn did not`);
    return false;
  }

  #fault(fault: string): void {
    this.#findings.faults.push(`${this.#way.name}, turn ${this.#turnId}: ${fault}`);
  }
}
