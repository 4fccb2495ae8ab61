/** So near to the end one is at it, in pixels. */
const NEAR = 32;
/** Keys by which a browser scrolls up. */
const UP: readonly string[] = ["ArrowUp", "PageUp", "Home"];

/**
 * Keeps what scrolls at its end for as long as the reader is there.
 *
 * 1. Only the reader leaves the end, by scrolling up; whatever comes, and however high it is, does not.
 * 2. Who scrolls down to the end is there again.
 */
export class EndFollower {
  /** The reader is at the end. */
  isFollowing = $state(true);
  #scroller: HTMLElement | undefined;
  #lastTop = 0;
  #isDragging = false;
  #touchY = 0;

  /** To be attached to the element that scrolls. */
  readonly attach = (element: HTMLElement): (() => void) => {
    this.#scroller = element;
    const listening = new AbortController();
    const options = { passive: true, signal: listening.signal };
    element.addEventListener("scroll", () => this.#scrolled(element), options);
    element.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.leave(), options);
    element.addEventListener(
      "touchstart",
      ({ touches }) => {
        this.#touchY = touches[0]?.clientY ?? 0;
      },
      options,
    );
    element.addEventListener(
      "touchmove",
      ({ touches }) => (touches[0]?.clientY ?? 0) > this.#touchY + 4 && this.leave(),
      options,
    );
    element.addEventListener(
      "keydown",
      ({ key, target }) => {
        if (target === element && UP.includes(key)) this.leave();
      },
      options,
    );
    // Its scrollbar.
    element.addEventListener(
      "pointerdown",
      ({ target, offsetX }) => {
        this.#isDragging = target === element && offsetX >= element.clientWidth;
      },
      options,
    );
    addEventListener("pointerup", () => void this.#drop(), options);
    return () => listening.abort();
  };

  /** The reader goes elsewhere. */
  leave(): void {
    this.isFollowing = false;
  }

  /** The reader goes to the end. */
  follow(): void {
    this.isFollowing = true;
    this.keep();
  }

  /** To be called where what scrolls has another height. */
  keep(): void {
    if (!this.isFollowing || this.#scroller === undefined) return;
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    if (scrollHeight - clientHeight - scrollTop < 1) return;
    this.#scroller.scrollTop = scrollHeight;
  }

  #drop(): void {
    this.#isDragging = false;
  }

  #scrolled({ scrollTop, scrollHeight, clientHeight }: HTMLElement): void {
    const isDown = scrollTop > this.#lastTop;
    const isUp = scrollTop < this.#lastTop;
    this.#lastTop = scrollTop;
    if (isUp && this.#isDragging) this.leave();
    if (isDown && scrollHeight - clientHeight - scrollTop <= NEAR) this.isFollowing = true; // 2.
  }
}
