/** For so long a thing has to have been as it is before a press on it counts, in milliseconds. */
export const STEADY_MS = 600;
const LOOK_MS = 50;

/**
 * Whether what one is about to press has been what it is, where it is, for long enough that one meant it.
 *
 * 1. A press counts only where the thing has stood still for STEADY_MS: nothing that comes or moves under a finger is pressed.
 * 2. A key counts only where the person brought the focus there, and not one that is held down.
 */
export class Steadiness {
  isSteady = $state(false);
  #element: HTMLElement | undefined;
  #place = "";
  /** Since when it is the same, and since when it is where it is. */
  #sameSince = performance.now();
  #placedSince = performance.now();
  #focusBy: "person" | "program" = "program";
  #lastMove = Number.NEGATIVE_INFINITY;

  /** Begins anew: what is there is something else now. */
  readonly disturb = (): void => {
    this.#sameSince = performance.now();
    this.isSteady = false;
  };

  /** To be given as an attachment to what has the buttons. */
  readonly watch = (element: HTMLElement): (() => void) => {
    this.#element = element;
    this.disturb();
    const timer = setInterval(() => this.#look(), LOOK_MS);
    const leaving = new AbortController();
    const { signal } = leaving;
    const moves = () => {
      this.#lastMove = performance.now();
    };
    document.addEventListener("keydown", (event) => event.key === "Tab" && moves(), {
      capture: true,
      signal,
    });
    document.addEventListener("pointerdown", moves, { capture: true, signal });
    element.addEventListener("focusin", () => this.#heedFocus(), { signal });
    element.addEventListener("keydown", (event) => this.#heedKey(event), { capture: true, signal });
    return () => {
      clearInterval(timer);
      leaving.abort();
    };
  };

  /** Whether a press counts. To be asked when it comes: what was looked at last may be some time ago. */
  takes({ detail }: MouseEvent): boolean {
    this.#look();
    // A key is pressed where the focus is, wherever that has moved to.
    const isOfKey = detail === 0;
    return isOfKey ? performance.now() - this.#sameSince >= STEADY_MS : this.isSteady;
  }

  #look(): void {
    const now = performance.now();
    const { x = 0, y = 0, width = 0, height = 0 } = this.#element?.getBoundingClientRect() ?? {};
    const place = [x, y, width, height].map(Math.round).join();
    if (place !== this.#place) this.#placedSince = now; // 1.
    this.#place = place;
    this.isSteady = now - Math.max(this.#sameSince, this.#placedSince) >= STEADY_MS;
  }

  #heedFocus(): void {
    // The focus follows the press or the Tab at once, or a program put it there.
    this.#focusBy = performance.now() - this.#lastMove < 100 ? "person" : "program";
  }

  #heedKey(event: KeyboardEvent): void {
    const isPress = event.key === "Enter" || event.key === " ";
    if (!isPress || !(event.target instanceof HTMLButtonElement)) return;
    if (event.repeat || this.#focusBy === "program") event.preventDefault(); // 2.
  }
}
