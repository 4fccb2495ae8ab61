import { errorInfoOf, refusalLines } from "@breakglass/client";
import { Code, ConnectError } from "@connectrpc/connect";
import type { RefusalWords } from "../words/refusals.en.ts";
import { words } from "../words/words.ts";

/** What a failure means to a person. */
export interface FailureText extends RefusalWords {
  /** What the server said, in its own words; a fact a line. */
  readonly lines: readonly string[];
  /** The words here say all of it that matters. */
  readonly isSaid: boolean;
  /** So long the server asks to be left alone, in milliseconds. */
  readonly retryDelayMs: number | undefined;
}

/** What they are about only the server's own words name. */
const NAMED_BY_SERVER: readonly string[] = ["INVALID_ARGUMENT", "UNSUPPORTED_BY_AGENT"];

/** Codes of what broke on the way, where the server itself gave no reason. */
const BROKEN: readonly Code[] = [
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Unknown,
];

/** What browsers say where a part of the program cannot be loaded: Chromium, Firefox, Safari. */
const MISSING_PART =
  /dynamically imported module|Importing a module script failed|Unable to preload CSS/i;

/** Whether a part of the page itself could not be loaded: the server has another build by now, or is away. */
export function isMissingPart(error: unknown): boolean {
  return error instanceof Error && MISSING_PART.test(error.message);
}

export function failureTextOf(error: unknown): FailureText {
  const { refusals } = words;
  if (isMissingPart(error)) {
    const lines = [(error as Error).message];
    return { ...refusals.missingPart, lines, isSaid: true, retryDelayMs: undefined };
  }
  const info = errorInfoOf(error);
  const lines = refusalLines(error) ?? [error instanceof Error ? error.message : String(error)];
  const retryDelayMs = info?.retryDelayMs;
  const known = info === undefined ? undefined : refusals.reasons[info.reason];
  if (info !== undefined && known !== undefined) {
    return { ...known, lines, isSaid: !NAMED_BY_SERVER.includes(info.reason), retryDelayMs };
  }
  const isBroken =
    info === undefined && error instanceof ConnectError && BROKEN.includes(error.code);
  const told = isBroken ? refusals.unreachable : refusals.unknown;
  return { ...told, lines, isSaid: isBroken, retryDelayMs };
}
