import type { HttpResponse } from "../edge/http.ts";

type Written = (error?: Error | null) => void;

/** The parts in which a slow response is written, a second. */
const PARTS_A_SECOND = 10;

/**
 * From now on nothing of a response reaches its client, nor its end. Who writes it never notices: to it all is taken at
 * once, so that it ends no reader that takes nothing.
 */
export function silence(response: HttpResponse): void {
  const muffled = {
    writeHead: () => response,
    write: (_chunk: Uint8Array, written?: Written) => {
      if (written !== undefined) queueMicrotask(written);
      return true;
    },
    addTrailers: () => {},
    end: () => response,
  };
  Object.assign(response, muffled);
}

/** A response is written no faster than so from now on. Who writes it is held up as by a reader that is slow. */
export function slowDown(response: HttpResponse, bytesPerSecond: number): void {
  const write = response.write.bind(response) as HttpResponse["write"];
  const end = response.end.bind(response) as () => HttpResponse;
  const part = Math.max(1, Math.ceil(bytesPerSecond / PARTS_A_SECOND));
  let last = Promise.resolve();
  const inTurn = (work: () => Promise<void> | void) => {
    last = last.then(work, work);
  };
  const writeSlowly = async (chunk: Uint8Array, written?: Written) => {
    for (let at = 0; at < chunk.length; at += part) {
      const piece = chunk.subarray(at, at + part);
      await new Promise((resolve) => setTimeout(resolve, (piece.length / bytesPerSecond) * 1000));
      if (response.destroyed) return written?.();
      const isLast = at + part >= chunk.length;
      write(piece, isLast ? written : undefined);
    }
  };
  const slow = {
    write: (chunk: Uint8Array, written?: Written) => {
      inTurn(() => writeSlowly(chunk, written));
      return true;
    },
    end: () => {
      inTurn(() => void end());
      return response;
    },
  };
  Object.assign(response, slow);
}
