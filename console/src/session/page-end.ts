/** So near to its end one is at it, in pixels. */
const NEAR = 32;

/**
 * Keeps the page at its end, where what is newest is and the next prompt is written, while what it shows comes; until somebody scrolls up, or does
 * something in the element that it is attached to. Who scrolls down to the end is there again.
 */
export function stayAtEnd(element: HTMLElement): () => void {
  const page = document.documentElement;
  const leaving = new AbortController();
  const { signal } = leaving;
  let isAtEnd = true;
  let before = { top: scrollY, height: page.scrollHeight };
  const look = () => {
    const now = { top: scrollY, height: page.scrollHeight };
    // What gets shorter takes the page up too.
    if (now.top < before.top && now.height >= before.height) isAtEnd = false;
    if (now.top > before.top && now.height - innerHeight - now.top < NEAR) isAtEnd = true;
    before = now;
  };
  const observer = new ResizeObserver(() => {
    if (isAtEnd) scrollTo(0, page.scrollHeight);
    before = { top: scrollY, height: page.scrollHeight };
  });
  observer.observe(document.body);
  addEventListener("scroll", look, { passive: true, signal });
  for (const kind of ["pointerdown", "keydown"]) {
    element.addEventListener(kind, () => (isAtEnd = false), { passive: true, signal });
  }
  return () => {
    leaving.abort();
    observer.disconnect();
  };
}
