import type { Log } from "../log.ts";

/** What the signals to a server ask of it. */
export interface SignalAnswers {
  /** Ends it in order. Called once. */
  drain(): void;
  /** Ends it now: it was told to end again. */
  stopNow(): void;
  /** Reads its files again. */
  reload(): void;
}

/** The second one of these ends a server that drains. */
const ENDING = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
/**
 * One that comes so soon behind the first is the same one: a terminal sends Ctrl-C to npm too, and a service manager may
 * send SIGTERM to both, and npm hands either on.
 */
const SAME_MS = 1000;
/** The system repeats them: the processor's time is used up, the battery is empty. None but the first says anything. */
const LAST_CALLS = ["SIGXCPU", "SIGPWR"] as const;
/**
 * They end a process that does not heed them, and ask a server for nothing; SIGUSR1 makes Node open a debugger's port. Node
 * itself ignores SIGPIPE and SIGXFSZ.
 */
const IGNORED = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGIO",
  "SIGSTKFLT",
] as const;

/**
 * Heeds every signal that would end the process by default, but those that tell of a defect in it (SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE, SIGTRAP, SIGABRT, SIGSYS), the real-time ones, which Node has no names for, and SIGKILL.
 */
export function heedSignals(answers: SignalAnswers, log: Log): void {
  let isDraining = false;
  let since = 0;
  const drain = (signal: NodeJS.Signals) => {
    isDraining = true;
    since = performance.now();
    log.info("draining", { signal });
    answers.drain();
  };
  const on = (signals: readonly NodeJS.Signals[], heed: (signal: NodeJS.Signals) => void) => {
    for (const signal of signals) process.on(signal, heed);
  };
  on(ENDING, (signal) => {
    if (!isDraining) drain(signal);
    else if (performance.now() - since >= SAME_MS) answers.stopNow();
    else log.info("a signal is taken for the one before it", { signal, withinMs: SAME_MS });
  });
  on(LAST_CALLS, (signal) => isDraining || drain(signal));
  on(["SIGHUP"], () => isDraining || answers.reload());
  on(IGNORED, (signal) => log.info("a signal is ignored", { signal }));
}
