import {
  ErrorReason,
  type NoticeEvent,
  NoticeReason,
  PermissionMode,
  TurnState,
} from "@breakglass/client";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("en");

const STATES: Readonly<Record<TurnState, string>> = {
  [TurnState.UNSPECIFIED]: "Unknown",
  [TurnState.RUNNING]: "Running",
  [TurnState.SUCCEEDED]: "Succeeded",
  [TurnState.FAILED]: "Failed",
  [TurnState.CANCELED]: "Canceled",
  [TurnState.LOST]: "Lost",
  [TurnState.QUEUED]: "Waiting for its turn",
  [TurnState.AWAITING_APPROVAL]: "Waiting for an approval",
};

const CALLS = {
  running: "runs",
  waiting: "waits for an approval",
  done: "done",
  failed: "failed",
  denied: "not allowed",
  unanswered: "never answered",
};

const MODES: Readonly<Record<PermissionMode, string>> = {
  [PermissionMode.UNSPECIFIED]: "",
  [PermissionMode.BYPASS]: "acts by itself",
  [PermissionMode.ASK]: "asks first",
};

/** What each end by an error means, and what to do. */
const ERRORS: Readonly<Record<ErrorReason, readonly [what: string, mend: string]>> = {
  [ErrorReason.UNSPECIFIED]: ["The turn ended with an error.", ""],
  [ErrorReason.AGENT_NOT_FOUND]: [
    "The agent's program, or the agent that was asked for, is not there.",
    "Check the name of the agent, and whether its program is installed on the server.",
  ],
  [ErrorReason.AGENT_START_FAILED]: [
    "The agent did not start.",
    "Nothing was done. What it wrote before it ended is below: mend that, and send the prompt again.",
  ],
  [ErrorReason.AGENT_EXITED]: [
    "The agent ended in the middle of its work.",
    "What it had done until then is done. Look at its last calls before you send the prompt again.",
  ],
  [ErrorReason.AGENT_PROTOCOL]: [
    "The agent said nothing that the server understands.",
    "Its version may not fit this server: run breakglass doctor there.",
  ],
  [ErrorReason.TURN_TIMEOUT]: [
    "The turn took longer than it may.",
    "What it had done is done. Send another prompt to go on, with more time if it needs it.",
  ],
  [ErrorReason.IDLE_TIMEOUT]: [
    "The agent said nothing for too long and was ended.",
    "Its last call may hang: look at what it waits for, then send another prompt to go on.",
  ],
  [ErrorReason.CANCELED]: ["Somebody stopped the turn.", "What it had done until then is done."],
  [ErrorReason.SERVER_RESTARTED]: [
    "The server ended under the turn and started again.",
    "What it had done until then is done, and nothing goes on. Look at its last calls, then send another prompt.",
  ],
  [ErrorReason.SERVER_SHUTDOWN]: [
    "The server was shut down under the turn.",
    "What it had done until then is done, and nothing goes on. Look at its last calls, then send another prompt.",
  ],
  [ErrorReason.OUTPUT_LIMIT]: [
    "The turn said more than the server keeps.",
    "What it had done is done. Send another prompt to go on with less output.",
  ],
  [ErrorReason.STORAGE]: [
    "The server could not record what the agent did, and ended it.",
    "Its disk may be full. What the agent had done is done, also what is not on record.",
  ],
  [ErrorReason.UNSUPPORTED_BY_AGENT]: [
    "The agent cannot do what the turn needs.",
    "Open a new session, and tell the agent what it has to know.",
  ],
  [ErrorReason.LIMIT_REACHED]: [
    "A limit of what may be spent was reached.",
    "What it had done until then is done. Whoever runs the server can raise the limit.",
  ],
};

const NOTICES: Readonly<Record<NoticeReason, string>> = {
  [NoticeReason.UNSPECIFIED]: "Notice",
  [NoticeReason.API_RETRY]: "Retrying",
  [NoticeReason.API_ERROR]: "The model's API failed",
  [NoticeReason.MODEL_FALLBACK]: "Another model",
  [NoticeReason.MODEL_REFUSAL]: "The model declined",
  [NoticeReason.CONTEXT_COMPACTED]: "Conversation summarized",
  [NoticeReason.CONVERSATION_RESET]: "Conversation begun anew",
  [NoticeReason.TASK_STARTED]: "Task began",
  [NoticeReason.TASK_ENDED]: "Task ended",
  [NoticeReason.PERMISSION_DENIED]: "Not allowed",
  [NoticeReason.RATE_LIMIT]: "Rate limit",
  [NoticeReason.MALFORMED_OUTPUT]: "Line not understood",
  [NoticeReason.AGENT_WARNING]: "Warning",
  [NoticeReason.AGENT_SILENT]: "Silent",
  [NoticeReason.AGENT_REPLACED]: "Agent replaced",
  [NoticeReason.RECALLED]: "Earlier turns",
  [NoticeReason.SESSION_MOVED]: "Another server",
};

export const turn = {
  ownWork: "Work of the agent's own",
  session: "Session",
  state: (state: TurnState): string => STATES[state] ?? STATES[TurnState.UNSPECIFIED],
  loading: "Loading …",
  readOn: "Read on",
  log: "What happened",
  prompt: "Prompt",
  by: (who: string) => `by ${who}`,
  attachment: (name: string, size: number) => `${name}, ${formats.bytes(size)}`,
  attachments: "Attachments",
  mode: (mode: PermissionMode) => MODES[mode],
  fromTurn: "follows an earlier turn",
  staysRunning: "You can close this tab: the turn goes on.",
  connecting: "Connecting …",
  letGo: "Other windows of this browser read turns now: press anywhere here to read on.",
  newRows: (n: number) => (n === 1 ? "1 new" : `${formats.count(n)} new`),
  toEnd: "To the end",
  toStart: "To the start",
  linkTo: (n: number) => `Link to event ${n}`,
  noSuchEvent: (n: number) => `This turn has no event ${n}.`,
  agentUp: (resumed: boolean): string =>
    resumed ? "goes on with the conversation" : "new conversation",
  agentVersion: (version: string) => `version ${version}`,
  thinking: "Thinking",
  thinkingKept: "The model kept its reasoning to itself.",
  writing: "Writes …",
  steer: (who: string) => `${who} said meanwhile`,
  unknown: (kind: string) =>
    `Something of a kind that this page does not know${kind === "" ? "" : `: ${kind}`}`,
  /** What a notice means. Empty: the server's own words say it, in this language, or as nobody else can. */
  noticeMeans: (_notice: NoticeEvent): string => "",
  notice: (reason: NoticeReason) => NOTICES[reason] ?? NOTICES[NoticeReason.UNSPECIFIED],
  retry: (attempt: number, max: number) =>
    max > 0 ? `attempt ${attempt} of ${max}` : `attempt ${attempt}`,
  retryIn: (ms: number) => `next in ${formats.duration(ms)}`,
  /** Of a call of the model that got none. */
  noAnswer: "no answer",
  httpStatus: (status: number) => `HTTP ${status}`,
  times: (n: number) => `${formats.count(n)} times`,
  call: (state: keyof typeof CALLS) => CALLS[state],
  callLabel: (name: string, brief: string, state: keyof typeof CALLS) =>
    `${name}${brief === "" ? "" : ` ${brief}`}: ${CALLS[state]}`,
  took: (ms: number) => (ms < 1000 ? `${Math.max(0, Math.round(ms))} ms` : formats.duration(ms)),
  input: "Input",
  inputLeftOut: (bytes: number) => `The input, ${formats.bytes(bytes)}, is too large to be shown.`,
  output: "Output",
  noOutput: "No output",
  cut: (bytes: number) => `Cut: all of it is ${formats.bytes(bytes)}.`,
  ofNoCall: "Result of a call that is not on record",
  showAll: (lines: number) => `Show all ${formats.count(lines)} lines`,
  showLess: "Show less",
  linesLeftOut: (lines: number) => `${formats.count(lines)} lines`,
  search: "Search in it",
  found: (at: number, of: number, isMore: boolean) =>
    of === 0
      ? "not found"
      : `${formats.count(at)} of ${formats.count(of)}${isMore ? " or more" : ""}`,
  nextFound: "Next",
  previousFound: "Previous",
  showMore: (bytes: number) => `Show more (${formats.bytes(bytes)} left)`,
  moreItems: (n: number) => `${formats.count(n)} more`,
  background: "in the background",
  timeout: (ms: string) => `at most ${ms} ms`,
  replaceAll: "everywhere",
  edit: (n: number, of: number) => `Change ${n} of ${of}`,
  tasks: { pending: "to do", in_progress: "doing", completed: "done" } as Readonly<
    Record<string, string>
  >,
  outline: "Tools",
  outlineNone: "No tool was called.",
  outlineFailed: "Failed only",
  nextCall: "Next tool",
  previousCall: "Previous tool",
  toPrompt: "To the prompt",
  result: "Result",
  failed: "Failed",
  duration: "Duration",
  modelCalls: "Model calls",
  tokens: "Tokens",
  tokensIn: (n: bigint) => `${formats.count(n)} in`,
  tokensOut: (n: bigint) => `${formats.count(n)} out`,
  cacheRead: (n: bigint) => `${formats.count(n)} from the cache`,
  cacheWritten: (n: bigint) => `${formats.count(n)} to the cache`,
  cost: "Cost",
  stopReason: "Stopped",
  denials: (n: number) => (n === 1 ? "1 call was not allowed" : `${n} calls were not allowed`),
  denialsMean: "It may not have done what it says.",
  structured: "Structured answer",
  error: (reason: ErrorReason) => ERRORS[reason] ?? ERRORS[ErrorReason.UNSPECIFIED],
  exitCode: (code: number) => `exit code ${code}`,
  signal: (name: string) => `ended by ${name}`,
  stderr: "The end of what it wrote to stderr",
  lost: "Lost means: nobody stopped the agent's work in good order, and nothing goes on with it.",
  ended: (state: TurnState) => `The turn has ended: ${STATES[state]}`,
};

export type TurnWords = typeof turn;
