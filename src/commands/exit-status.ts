/** What the process ends with. */
export const ExitStatus = {
  /** The turn succeeded; for other commands, they did what they were asked. */
  ok: 0,
  /** The turn failed, was canceled or is lost; for `serve` and `drill`, they failed. */
  failed: 1,
  /** The command line or a variable cannot be used. */
  usage: 2,
  /** There was no connection, it broke and could not be made again, or the server refused. */
  refused: 3,
  /** The turn succeeded, but tool calls were denied: it may not have done what it says. */
  denied: 4,
  /** A defect of the server's own ended it (EX_SOFTWARE of sysexits.h); what its turns ran was killed. */
  defect: 70,
  /** Others took the server for gone (EX_TEMPFAIL): what it ran was stopped, and it is to be started again. */
  fenced: 75,
  /** Ctrl-C, or a reader that went away: nobody reads any more, the turn goes on. */
  detached: 130,
} as const;

/** One of the exit statuses. */
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
