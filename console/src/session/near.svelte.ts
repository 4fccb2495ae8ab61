/** As high as a turn is taken for that was never shown, in pixels. */
const UNSEEN_HEIGHT = 200;
/** So many windows above and below what is seen it is shown, and so many it stays. */
const COMES = "100% 0px";
const GOES = "300% 0px";

/**
 * Whether something of a long page is near what is seen of it: what is far is not kept on the page, and as high as it was, so that nothing moves
 * under who reads.
 */
export class Near {
  isNear = $state(false);
  /** As high as it is while it is far. */
  height = UNSEEN_HEIGHT;

  /** To be attached to the element, which is there also where what it holds is not. */
  readonly attach = (element: HTMLElement): (() => void) => {
    const comes = new IntersectionObserver(
      (entries) => {
        if (entries.at(-1)?.isIntersecting) this.isNear = true;
      },
      { rootMargin: COMES },
    );
    const goes = new IntersectionObserver(
      (entries) => {
        if (entries.at(-1)?.isIntersecting || !this.isNear) return;
        this.height = element.offsetHeight;
        this.isNear = false;
      },
      { rootMargin: GOES },
    );
    for (const observer of [comes, goes]) observer.observe(element);
    return () => {
      for (const observer of [comes, goes]) observer.disconnect();
    };
  };
}
