import { ErrorReason, TurnState } from "@breakglass/client";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("en");

/** Why an `error` ended a turn, and what to do, in one line. */
const REASONS: Readonly<Record<ErrorReason, string>> = {
  [ErrorReason.UNSPECIFIED]: "The agent said that it failed. Open it to read why.",
  [ErrorReason.AGENT_NOT_FOUND]:
    "The agent's program or definition does not exist: have it installed, or choose another.",
  [ErrorReason.AGENT_START_FAILED]: "The agent did not start. Open it: its last lines say why.",
  [ErrorReason.AGENT_EXITED]:
    "The agent's program ended in the middle. What it did until then is done; tell it to go on.",
  [ErrorReason.AGENT_PROTOCOL]:
    "The agent's program said nothing that could be understood: look at its version.",
  [ErrorReason.TURN_TIMEOUT]:
    "It took longer than it may. Tell it to go on, or give it smaller steps.",
  [ErrorReason.IDLE_TIMEOUT]: "The agent said nothing for too long. Tell it to go on.",
  [ErrorReason.CANCELED]: "Somebody stopped it.",
  [ErrorReason.SERVER_RESTARTED]:
    "The server died under it. What it did until then is done; tell it to go on.",
  [ErrorReason.SERVER_SHUTDOWN]:
    "The server was shut down under it. What it did until then is done; tell it to go on.",
  [ErrorReason.OUTPUT_LIMIT]: "It wrote more than a turn may. Have it write into a file.",
  [ErrorReason.STORAGE]: "The server could not store it: look at its disk.",
  [ErrorReason.UNSUPPORTED_BY_AGENT]: "The agent cannot do what this takes. Open a new session.",
  [ErrorReason.LIMIT_REACHED]: "What it may spend is spent. What it did until then is done.",
};

export const desk = {
  title: "Desk",
  waiting: "Waits for an answer",
  /** Approvals that the filter leaves out. */
  waitingHidden: (n: number) =>
    n === 1
      ? "1 approval is left out by the filter."
      : `${formats.count(n)} approvals are left out by the filter.`,
  running: "Running",
  failed: "Failed lately",
  ended: "Ended",
  nothingRuns: "Nothing runs.",
  nothingRunsHere: "Nothing that runs fits the filter.",
  nothingEnded: "Nothing has ended yet. What you start comes here when it is over.",
  nothingEndedHere: "Nothing that has ended fits the filter.",
  loading: "Loading …",
  more: (n: number) => `Show ${formats.count(n)} more`,
  older: "Show older ones",
  by: "by",
  own: "begun by the agent itself",
  session: "Session",
  sessionOf: (who: string) => `session of ${who}`,
  ranFor: "took",
  why: (reason: ErrorReason) => REASONS[reason] ?? REASONS[ErrorReason.UNSPECIFIED],
  denials: (n: number) => (n === 1 ? "1 call was denied" : `${formats.count(n)} calls were denied`),
  lost: "The desk is not kept up to date.",
};

export const filter = {
  title: "Filter",
  words: "Words in the prompt",
  show: "Filter by state, person and time",
  clear: "Show all",
  state: "State",
  states: {
    [TurnState.AWAITING_APPROVAL]: "Waiting for an approval",
    [TurnState.RUNNING]: "Running",
    [TurnState.QUEUED]: "Waiting for its turn",
    [TurnState.SUCCEEDED]: "Succeeded",
    [TurnState.FAILED]: "Failed",
    [TurnState.CANCELED]: "Canceled",
    [TurnState.LOST]: "Lost",
  } as Readonly<Record<number, string>>,
  person: "Person",
  time: "Begun",
  times: {
    any: "at any time",
    "1h": "in the last hour",
    "24h": "in the last 24 hours",
    "7d": "in the last 7 days",
    between: "between …",
  },
  since: "From",
  until: "Before",
  origin: "Begun by",
  origins: { any: "anybody", caller: "a person", agent: "the agent itself" },
};

export const notify = {
  offer: "Tell me when something waits",
  on: "Notifications are on",
  off: "Notifications are off",
  blocked:
    "The browser does not let this page notify. Allow it in the browser's settings for this site.",
  turnOff: "Turn notifications off",
  asks: (tool: string, who: string) =>
    `${tool} waits for your answer`.concat(who === "" ? "" : `, for ${who}`),
  ended: (state: string) => `Your turn: ${state}`,
  withText: "Show prompts in notifications",
};
