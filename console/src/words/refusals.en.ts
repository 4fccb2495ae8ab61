import type { Reason } from "@breakglass/client";

/** What a refusal means, and what to do. */
export interface RefusalWords {
  readonly what: string;
  readonly mend: string;
}

const reasons: Readonly<Record<Reason, RefusalWords>> = {
  INVALID_ARGUMENT: { what: "The server does not take this.", mend: "Mend what is named here." },
  TURN_IN_PROGRESS: {
    what: "A turn runs in this session.",
    mend: "Wait for its end, or interrupt it.",
  },
  TURN_ENDED: { what: "The turn has ended.", mend: "Send a new prompt to its session." },
  INTERRUPT_NOT_OBEYED: {
    what: "The agent did not stop.",
    mend: "Cancel the turn: that ends its processes.",
  },
  APPROVAL_NOT_FOUND: { what: "Nothing asks for this any more.", mend: "" },
  APPROVAL_RESOLVED: { what: "Somebody has answered already.", mend: "The first answer counts." },
  APPROVAL_EXPIRED: { what: "It was denied, as nobody answered in time.", mend: "" },
  SELF_APPROVAL_FORBIDDEN: {
    what: "Who runs a turn may not answer for it here.",
    mend: "Ask another approver.",
  },
  ROLE_MISSING: {
    what: "You lack the role that this takes.",
    mend: "Ask whoever runs the server for it.",
  },
  NOT_ALLOWED: {
    what: "You may see this, and not do this in it.",
    mend: "Ask the session's owner to share it with you to operate.",
  },
  BYPASS_FORBIDDEN: {
    what: "This server takes only turns that ask.",
    mend: "Choose the mode that asks.",
  },
  AGENT_KIND_MISMATCH: {
    what: "The session has another kind of agent.",
    mend: "Open a new session for this one.",
  },
  AGENT_KIND_NOT_SERVED: {
    what: "The server does not run this kind of agent.",
    mend: "Choose another.",
  },
  UNSUPPORTED_BY_AGENT: { what: "The agent cannot do this.", mend: "" },
  TOO_MANY_TURNS: {
    what: "As many turns run as may run at a time.",
    mend: "Wait until one ends, or end one.",
  },
  TOO_MANY_SUBSCRIPTIONS: {
    what: "Too many are reading at a time.",
    mend: "Close other windows, and try again.",
  },
  TOO_MANY_REQUESTS: { what: "Too many requests at a time.", mend: "Wait, and try again." },
  BODY_TIMEOUT: {
    what: "The request came too slowly.",
    mend: "Send less, or over a better line.",
  },
  SESSION_FULL: { what: "The session is full.", mend: "Go on in a new one." },
  SPENDING_LIMIT: {
    what: "What you may spend today is spent.",
    mend: "Wait for tomorrow, or ask whoever runs the server.",
  },
  QUOTA_EXCEEDED: {
    what: "You hold as much as you may.",
    mend: "Delete sessions that nobody needs.",
  },
  REQUEST_ID_REUSED: { what: "Another request had this id.", mend: "Send it again." },
  NOT_FOUND: {
    what: "It does not exist, or you may not see it.",
    mend: "Ask its owner to share the session with you. It may have been deleted, too.",
  },
  OUT_OF_RANGE: { what: "That place does not exist any more.", mend: "Load the page again." },
  UNAUTHENTICATED: { what: "The server does not know you.", mend: "Sign in again." },
  ORIGIN_NOT_ALLOWED: {
    what: "The server does not answer to pages of this address.",
    mend: "Open the console at the server's own address.",
  },
  AGENT_NOT_ALLOWED: { what: "An agent may not do this itself.", mend: "" },
  DRAINING: {
    what: "The server is about to end, and takes nothing new.",
    mend: "Try again in a minute.",
  },
  STREAM_ENDED: { what: "The stream was ended.", mend: "Try again." },
  STORAGE: {
    what: "The server could not store it.",
    mend: "Look at its disk and its log. Then try again.",
  },
  FENCED: {
    what: "This server does not own the data any more.",
    mend: "Go to the one that took over.",
  },
  SESSION_ELSEWHERE: {
    what: "Another server has the session.",
    mend: "Try again, or go to that server.",
  },
  DATA_LOSS: {
    what: "Something of it can no longer be read.",
    mend: "The server's log says what.",
  },
};

export const refusals = {
  reasons: reasons as Readonly<Record<string, RefusalWords | undefined>>,
  /** What broke has no reason of the server's. */
  unreachable: {
    what: "The server does not answer.",
    mend: "Look at the network and at the server. Nothing was confirmed: look before you repeat it.",
  },
  unknown: { what: "The server refused it.", mend: "" },
  missingPart: {
    what: "A part of this page is not there.",
    mend: "The server has a newer version, or is away. Load the page again: nothing that runs is lost.",
  },
  loadAgain: "Load the page again",
  details: "What the server said",
  tryAgain: "Try again",
  /** It says itself when it may help. */
  retryIn: (duration: string) => `It may help to try again in ${duration}.`,
};
