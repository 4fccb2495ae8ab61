import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";

export interface VirtualRowsOptions {
  /** A row's key stays with it, wherever it comes to stand. */
  readonly keyOf: (index: number) => number;
  /** How high a row is likely to be, in pixels, until it was measured. */
  readonly estimate: (index: number) => number;
  readonly overscan?: number;
}

/**
 * Of many rows those that can be seen, each with its place; measured where they are shown. What is read stays where it is while rows above it
 * come or change.
 */
export class VirtualRows {
  /** The rows to show. */
  items = $state.raw<readonly VirtualItem[]>([]);
  /** How high all rows are together, in pixels. */
  size = $state(0);
  #scroller: HTMLElement | null = null;
  #count = 0;
  readonly #options: VirtualRowsOptions;
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;

  constructor(options: VirtualRowsOptions) {
    this.#options = options;
    this.#virtualizer = new Virtualizer(this.#all());
  }

  /** To be attached to the element that scrolls. */
  readonly attachScroller = (element: HTMLElement): (() => void) => {
    this.#scroller = element;
    const unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    this.#show();
    return () => {
      this.#scroller = null;
      unmount();
    };
  };

  /** To be attached to each row, which has its index in `data-index`. */
  readonly attachRow = (element: HTMLElement): (() => void) => {
    this.#virtualizer.measureElement(element);
    return () => queueMicrotask(() => this.#virtualizer.measureElement(null));
  };

  /** Takes how many rows there are. To be called where some came, or came to stand elsewhere. */
  setCount(count: number): void {
    this.#count = count;
    this.#virtualizer.setOptions(this.#all());
    this.#show();
  }

  /** To be called once the page has what `items` and `size` say. */
  settle(): void {
    this.#virtualizer._willUpdate();
  }

  /** Where a row begins, in pixels; rows that were never shown on the way there are guessed. */
  offsetOf(index: number): number {
    return this.#virtualizer.getOffsetForIndex(index, "start")?.[0] ?? 0;
  }

  /** The first row that is seen, and how far it is scrolled out, in pixels. */
  get top(): { readonly index: number; readonly offset: number } | undefined {
    const offset = this.#virtualizer.scrollOffset ?? 0;
    const item = this.#virtualizer.getVirtualItemForOffset(offset);
    return item && { index: item.index, offset: offset - item.start };
  }

  #all(): VirtualizerOptions<HTMLElement, HTMLElement> {
    return {
      count: this.#count,
      getScrollElement: () => this.#scroller,
      estimateSize: this.#options.estimate,
      getItemKey: this.#options.keyOf,
      overscan: this.#options.overscan ?? 6,
      anchorTo: "end",
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.#show(),
    };
  }

  #show(): void {
    this.items = this.#virtualizer.getVirtualItems();
    this.size = this.#virtualizer.getTotalSize();
  }
}
