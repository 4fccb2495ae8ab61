/** The conversation itself, as its file is called on every machine. */
export const MAIN_FILE = "conversation.jsonl";
/** What subagents were told and did: by these the CLI goes on with one. */
export const SUBAGENTS = "subagents";
const SUBAGENT_FILE = /^subagents\/[a-zA-Z0-9][a-zA-Z0-9._-]{0,200}$/;

/** Whether something is called as a file of a conversation's record. */
export function isRecordFile(name: string): boolean {
  return name === MAIN_FILE || SUBAGENT_FILE.test(name);
}
