import { untrack } from "svelte";
import { EndFollower } from "./list/end-follower.svelte.ts";
import { likelyHeight } from "./list/likely-height.ts";
import { keepPlace, type Place, readPlace } from "./list/place.ts";
import { VirtualRows } from "./list/virtual-rows.svelte.ts";
import type { Row, ToolRow } from "./rows.svelte.ts";
import type { TurnReading } from "./turn-reading.svelte.ts";

/** The row above all events, which says what the turn is about. */
const HEAD_KEY = 0;
/** The row below all events, which has what the agent does now. */
const FOOT_KEY = -1;
/** For how many frames a place is aimed at, at most: rows on the way there are measured and move it. */
const AIM_FRAMES = 30;
/** It is reached when it stays for so many. */
const STILL_FRAMES = 4;
const KEEP_MS = 200;

interface Aim extends Place {
  readonly isFocused: boolean;
}

/**
 * Where a turn is read: which rows are seen, whether that is its end, and how to come elsewhere.
 *
 * 1. A reload, and the way back, come to where one was; an address with `#17` to that event; otherwise one is at the end.
 * 2. Somebody who reads at the end stays there, whoever reads elsewhere stays where they are.
 */
export class TurnScroll {
  readonly rows: VirtualRows;
  readonly follower = new EndFollower();
  /** An event that an address links to, and that the turn does not have. */
  missing = $state<number>();
  /** The call that was jumped to last. */
  current = $state.raw<ToolRow>();
  readonly #reading: TurnReading;
  /** All rows as they were last told of; asked for by the thousand. */
  #all: readonly Row[] = [];
  /** How high rows are likely to be, by their keys: asked for by the thousand too. */
  readonly #likely: number[] = [];
  #scroller: HTMLElement | undefined;
  /** To be aimed at as soon as it has come. */
  #wanted: Aim | undefined;
  #aimFrame: number | undefined;
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  /** How many rows there were when the reader left the end. */
  #seen = $state(0);

  /** @param linked - The event that the address links to. */
  constructor(reading: TurnReading, linked: number | undefined) {
    this.#reading = reading;
    this.rows = new VirtualRows({ keyOf: this.#keyAt, estimate: this.#estimate });
    const place =
      linked === undefined ? readPlace(reading.turnId) : { sequence: linked, offset: 0 };
    if (place === undefined) return;
    this.#wanted = { ...place, isFocused: linked !== undefined };
    this.follower.leave(); // 1.
  }

  /** How many rows have come since the reader left the end. */
  get newRows(): number {
    return this.follower.isFollowing ? 0 : this.#reading.log.rows.length - this.#seen;
  }

  /** To be attached to the element that scrolls. */
  readonly attach = (element: HTMLElement): (() => void) => {
    this.#scroller = element;
    // The follower first: it reads how high all is before other rows come, which would have the page laid out twice.
    const detach = [this.follower.attach(element), this.rows.attachScroller(element)];
    const listening = new AbortController();
    const { signal } = listening;
    element.addEventListener("scroll", () => this.#keepSoon(), { passive: true, signal });
    // The reader scrolls: where to is theirs.
    for (const type of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      element.addEventListener(type, () => this.#stopAiming(), { passive: true, signal });
    }
    addEventListener("pagehide", () => this.#keep(), { signal });
    return () => {
      this.#keep();
      listening.abort();
      for (const each of detach) each();
      this.#stopAiming();
      this.#scroller = undefined;
    };
  };

  /** To be called where rows came. */
  update(): void {
    const { log, isCaughtUp } = this.#reading;
    this.#all = log.rows;
    this.rows.setCount(log.rows.length + 2);
    untrack(() => {
      if (this.follower.isFollowing) this.#seen = log.rows.length;
      if (this.#wanted === undefined) return;
      if (this.#indexOf(this.#wanted.sequence) !== undefined) this.#aim(this.#wanted);
      else if (isCaughtUp) {
        this.missing = this.#wanted.sequence;
        this.toEnd();
      }
    });
  }

  /** To be called once the page has the rows that it is to have. */
  settle(): void {
    this.rows.settle();
    this.follower.keep(); // 2.
  }

  toEnd(): void {
    this.#wanted = undefined;
    this.#stopAiming();
    this.follower.follow();
  }

  toStart(): void {
    this.toEvent(HEAD_KEY, false);
  }

  /** @param isFocused - The row takes the focus. */
  toEvent(sequence: number, isFocused = true): void {
    this.#leaveEnd();
    this.missing = undefined;
    if (this.#indexOf(sequence) !== undefined) this.#aim({ sequence, offset: 0, isFocused });
    else if (this.#reading.isCaughtUp) this.missing = sequence;
    else this.#wanted = { sequence, offset: 0, isFocused };
  }

  /** Jumps to the call after or before where one is. */
  toCall(step: 1 | -1): void {
    const { rows } = this.#reading.log;
    const current = this.current && rows.indexOf(this.current);
    const at = current ?? (this.rows.top?.index ?? 0) - 1;
    for (let index = at + step; index >= 0 && index < rows.length; index += step) {
      const row = rows[index];
      if (row?.kind !== "tool") continue;
      this.current = row;
      this.toEvent(row.key);
      return;
    }
  }

  #leaveEnd(): void {
    if (this.follower.isFollowing) this.#seen = this.#reading.log.rows.length;
    this.follower.leave();
  }

  readonly #keyAt = (index: number): number => {
    if (index === 0) return HEAD_KEY;
    return this.#all[index - 1]?.key ?? FOOT_KEY;
  };

  readonly #estimate = (index: number): number => {
    const row = this.#all[index - 1];
    return row === undefined ? 80 : (this.#likely[row.key] ?? this.#guess(row));
  };

  /** Nobody is to be told when what it is guessed from changes. */
  #guess(row: Row): number {
    return untrack(() => {
      const height = likelyHeight(row);
      const isFinal = row.kind !== "tool" || row.result !== undefined;
      if (isFinal) this.#likely[row.key] = height;
      return height;
    });
  }

  #indexOf(sequence: number): number | undefined {
    if (sequence === HEAD_KEY) return 0;
    const row = this.#reading.log.rowOf(sequence);
    const index = row === undefined ? -1 : this.#reading.log.rows.indexOf(row);
    return index === -1 ? undefined : index + 1;
  }

  /** Scrolls until the row is where it is to be: what is measured on the way moves it. */
  #aim(aim: Aim): void {
    this.#wanted = undefined;
    this.#stopAiming();
    const key = aim.sequence === HEAD_KEY ? HEAD_KEY : this.#reading.log.rowOf(aim.sequence)?.key;
    let frames = AIM_FRAMES;
    let stillFrames = 0;
    let isFocused = !aim.isFocused;
    const step = () => {
      this.#aimFrame = undefined;
      const scroller = this.#scroller;
      const index = this.#indexOf(aim.sequence);
      if (scroller === undefined || index === undefined) return;
      const row = scroller.querySelector<HTMLElement>(`[data-key="${key}"]`);
      if (row === null) scroller.scrollTop = this.rows.offsetOf(index) + aim.offset;
      else {
        const from = row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
        const before = scroller.scrollTop;
        if (Math.abs(from + aim.offset) > 1) scroller.scrollTop += from + aim.offset;
        stillFrames = scroller.scrollTop === before ? stillFrames + 1 : 0;
        if (!isFocused) row.focus({ preventScroll: true });
        isFocused = true;
      }
      frames--;
      if (frames > 0 && stillFrames < STILL_FRAMES) this.#aimFrame = requestAnimationFrame(step);
    };
    step();
  }

  #stopAiming(): void {
    if (this.#aimFrame !== undefined) cancelAnimationFrame(this.#aimFrame);
    this.#aimFrame = undefined;
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => {
      this.#keepTimer = undefined;
      this.#keep();
    }, KEEP_MS);
  }

  #keep(): void {
    // What has not come yet is still where one wants to be.
    if (this.#wanted !== undefined || this.#scroller === undefined) return;
    const { top } = this.rows;
    const isAtEnd = this.follower.isFollowing || top === undefined;
    keepPlace(
      this.#reading.turnId,
      isAtEnd ? undefined : { sequence: this.#sequenceAt(top.index), offset: top.offset },
    );
  }

  #sequenceAt(index: number): number {
    const key = this.#keyAt(index);
    return key === FOOT_KEY ? this.#reading.log.lastSequence : key;
  }
}
