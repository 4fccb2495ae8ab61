/** A page that nobody sees has no frames. */
const HIDDEN_MS = 250;

/** When a page's work is done, so that it never keeps a person waiting. */
export const frames = {
  /** Calls it with the next frame. */
  next(work: () => void): void {
    let isDone = false;
    const once = () => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      work();
    };
    const timer = setTimeout(once, HIDDEN_MS);
    requestAnimationFrame(once);
  },

  /** Resolves when what else the page has to do was done. */
  breathe(): Promise<void> {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    });
  },
};
