import { Role, ShareAccess } from "@breakglass/client";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("en");

export const session = {
  title: "Session",
  titleOf: (id: string) => `Session ${id}`,
  own: "yours",
  owner: "Whose",
  agent: "Agent",
  model: "Model",
  since: "Since",
  active: "Last active",
  turns: "Turns",
  tokens: "Tokens",
  tokensOf: (read: bigint, written: bigint) =>
    `${formats.count(read)} read, ${formats.count(written)} written`,
  cost: "Cost",
  shared: "Shared with",
  sharedWithNobody: "nobody",
  older: "Show earlier turns",
  none: "No turn is on record here.",
  open: "Open",
  result: "Result",
  notSeen: "This session is not to be seen",
  notSeenHelp:
    "It does not exist, it was deleted, or nobody has shared it with you. An approver sees turns that ask without their sessions: go back to the turn.",
  actions: "What to do with the session",
};

export const sharing = {
  title: "Share the session",
  description: "Who runs the server may have given others roles by which they see it anyway.",
  action: "Share …",
  with: "With",
  person: "a person",
  personName: "Their name, as they sign in",
  role: "all who have the role",
  roles: {
    [Role.VIEWER]: "viewer",
    [Role.OPERATOR]: "operator",
    [Role.APPROVER]: "approver",
    [Role.ADMIN]: "admin",
  } as Readonly<Record<number, string>>,
  everyone: (role: string) => `all with the role ${role}`,
  access: "They may",
  accesses: {
    [ShareAccess.READ]: "read it",
    [ShareAccess.OPERATE]: "work in it",
  } as Readonly<Record<number, string>>,
  means: {
    [ShareAccess.READ]: "See the session and its turns, with all that is in them.",
    [ShareAccess.OPERATE]:
      "Also run, stop and steer turns, answer for them, and delete the session. It takes the role operator.",
  } as Readonly<Record<number, string>>,
  share: "Share",
  now: "Shared now",
  nobody: "With nobody.",
  end: "End",
  endFor: (who: string) => `End the share with ${who}`,
  ended: (who: string) => `Not shared with ${who} any more`,
  done: (who: string) => `Shared with ${who}`,
  change: (who: string) => `What ${who} may do`,
};

export const link = {
  copy: "Copy the link",
  copyTurn: "Copy the link of the turn",
  works: (who: readonly string[]) =>
    who.length === 0
      ? "The link opens the session for you alone, and for those whose role lets them see everything. For others there is nothing: share it first."
      : `The link opens the session for ${formats.list(who)}. For others there is nothing.`,
};

export const deleting = {
  title: "Delete the session",
  action: "Delete …",
  what: (turns: number) =>
    `${turns === 1 ? "Its one turn" : `Its ${formats.count(turns)} turns`}, its workspace with all files in it, and the agent's memory of it. For everybody, and for good. What the agent did elsewhere stays done.`,
  exportFirst: "What you want to keep, export first.",
  running: "A turn runs in it. It can be deleted once that has ended.",
  confirm: "Delete it for good",
  deleting: "It is being deleted …",
  done: "The session is deleted.",
  pending:
    "The session is deleted. Something that it left on the server's machine is still being removed; the server goes on with that by itself.",
};

export const exporting = {
  action: "Export",
  turnAction: "Export the turn",
  markdown: "As Markdown",
  json: "As JSON",
  progress: (n: number, of: number) => `Turn ${formats.count(n)} of ${formats.count(of)} is read …`,
  stop: "Stop",
  done: "Exported",
  turn: (n: number, of: number) => `Turn ${n} of ${of}`,
  session: "Session",
  id: "Id",
  prompt: "Prompt",
  state: "State",
  begun: "Begun",
  ended: "Ended",
  by: "By",
  exportedOn: (when: string, version: string) => `Exported on ${when} from breakglass ${version}.`,
  subagent: "a subagent",
  thinking: "Thinking",
  tool: "Tool",
  output: "Output",
  failed: "failed",
  steer: (who: string) => `Message by ${who}`,
  approval: "Approval asked for",
  decided: "Approval",
  notice: "Notice",
  result: "Result",
  error: "Error",
  agentUp: "Agent",
  cut: (bytes: string) => `Not whole: it had ${bytes}.`,
  running: "The turn had not ended when it was exported.",
};
