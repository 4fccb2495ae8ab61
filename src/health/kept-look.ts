import { byDeadline } from "../stream/deadline.ts";

/** How old an answer may be, in milliseconds. */
export interface LookAges {
  /** One that all is well. */
  readonly wellMs: number;
  /** One that something is wrong: it is to be noticed soon that it was mended. */
  readonly illMs: number;
}

/**
 * A look that costs something, made for whoever asks: at most one at a time, and none while its answer is fresh.
 *
 * @param look - Never rejects.
 * @param isWell - Which of the two ages an answer may have.
 * @returns Asks, and waits so many milliseconds at most; undefined: it takes longer, and goes on for whoever asks next.
 */
export function keptLook<T>(
  look: () => Promise<T>,
  isWell: (answer: T) => boolean,
  { wellMs, illMs }: LookAges,
): (withinMs: number) => Promise<T | undefined> {
  let going: Promise<T> | undefined;
  let kept: { readonly answer: T; readonly until: number } | undefined;
  const begin = async () => {
    const answer = await look();
    kept = { answer, until: performance.now() + (isWell(answer) ? wellMs : illMs) };
    going = undefined;
    return answer;
  };
  return async (withinMs) => {
    if (kept !== undefined && performance.now() < kept.until) return kept.answer;
    going ??= begin();
    return byDeadline(going, withinMs, undefined, false);
  };
}
