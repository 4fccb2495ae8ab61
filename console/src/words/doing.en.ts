import type { AttachmentProblem } from "../doing/attachments.ts";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("en");

export const doing = {
  prompt: "What is to be done?",
  promptMore: "What is to be done next?",
  promptKeys: "Enter sends, Shift+Enter breaks the line.",
  send: "Send",
  sending: "On its way …",
  notReadOnly: "You may look here, and not run turns: that takes the role operator.",
  notInSession: "You may look at this session, and not run turns in it.",
  tooLong: (bytes: number, most: number) =>
    `The text has ${formats.count(bytes)} bytes; at most ${formats.count(most)} are taken.`,
  offline: "This device is offline. What you write stays here.",
  agentKind: "Agent",
  can: (what: string) => `Can: ${what}.`,
  abilities: {
    steer: "take messages while it works",
    changeInput: "be allowed a changed input",
    images: "look at images",
    resume: "go on with a session after a restart",
    cost: "tell what it costs",
  },
  model: "Model",
  agentDefinition: "Agent definition",
  defaultIs: (name: string) => (name === "" ? "as the server has it" : `${name}, if empty`),
  mode: "Mode",
  modeDefault: {
    ask: "As the server has it: ask first",
    bypass: "As the server has it: by itself",
  },
  ask: "Ask first",
  bypass: "By itself",
  askMeans: "Each call of a tool that no rule allows waits for an approval.",
  bypassMeans: "It does everything that no rule denies, and asks nobody.",
  onlyAsk: "This server's agents ask first: each call that no rule allows waits for an approval.",
  more: "More",
  maxCost: "At most, in US dollars",
  maxModelTurns: "At most so many calls of the model",
  timeout: "At most, in minutes",
  noNumber: "This takes a number above 0.",
  recall: "Tell the agent what is on record of this session",
  recallMeans: "For an agent that has lost its memory of it.",
  attach: "Attach files …",
  attachments: "Files that go with it",
  dropHere: "Drop the files here",
  remove: (name: string) => `Remove ${name}`,
  asFile: "Send as a file, not shown",
  size: (bytes: number) => formats.bytes(bytes),
  shown: "shown to the model",
  file: "a file in the workspace",
  attachmentProblem: (problem: AttachmentProblem) => {
    switch (problem.what) {
      case "name-long":
        return "Its name is longer than 255 bytes.";
      case "name-bad":
        return "Its name has a path in it, or characters that nobody sees.";
      case "gone":
        return "It is not at hand any more: attach it again, or remove it.";
      case "unread":
        return "It cannot be read.";
      case "image-large":
        return `The agent is shown images up to ${formats.bytes(problem.most)}.`;
      case "too-large":
        return `At most ${formats.bytes(problem.most)} may be sent together.`;
      case "too-many":
        return `At most ${problem.most} files may be sent.`;
    }
  },
  retrying: (time: string) => `It is sent again at ${time}; it never starts twice.`,
  unanswered: "The server does not answer.",
  stop: "Stop",
  unconfirmed:
    "It was not confirmed: it may have become a turn, and may not. Sending it again is safe, it does not start twice.",
  sendAgain: "Send again",
  changeIt: "Change it",
  changeItMeans: "What you change is another prompt: look whether this one runs.",
  notArrived: "It had not arrived. Send it again.",
  inProgress: "Go to the turn that runs",
  steerInstead: "Tell it to that turn",
  sendAfter: "Send when it has ended",
  waitingFor: "It is sent when the turn that runs has ended, as long as this page is open.",
  quotaSession: "Look at the session to delete",
  steer: "Tell the agent",
  steerSend: "Tell",
  steerSent: "Told. The agent takes it up as soon as it can.",
  steerSending: "On its way …",
  steerUnconfirmed: "It was not confirmed: the agent may have it, and may not.",
  steerAgain: "Send again",
  interrupt: "Interrupt",
  cancel: "Cancel",
  cancelQueued: "Take back",
  actions: "What to do with this turn",
  interrupting: "The agent is asked to stop …",
  canceling: "The turn is being ended, with all that it runs …",
  confirmCancel: "This kills what the turn runs. What it has done stays done.",
  cancelNow: "End it",
  back: "Back",
  notObeyed: "The agent did not stop within 5 s: the turn goes on. Cancel ends it.",
  askingTurn: "That was not confirmed. The server is asked …",
  actUnconfirmed: "That was not confirmed, and the server cannot be asked: the turn may go on.",
  askAgain: "Ask the server",
  stillRuns: "The turn still runs: that has not arrived, or not helped.",
  stopped: "Stopped. Canceled.",
  endedBefore: "The turn had ended already.",
  queued: "It waits for what the agent does by itself to end; that is interrupted after 10 s.",
  cannotSteer: "This agent takes no messages while it works.",
};
