import type { Log } from "../log.ts";
import { AGENT_FACTS, examinationScript } from "./agent-facts.ts";
import { examineAgent } from "./examined-agent.ts";

/** What was found of one fact. */
export interface Finding {
  readonly fact: string;
  readonly holds: boolean;
  /** What holds, as a sentence. */
  readonly text: string;
  /** What was seen instead, and what does not work therefore. Both empty where it holds. */
  readonly seen: string;
  readonly without: string;
}

/**
 * Holds a CLI against the facts that its adapter rests on, one after the other, each in sessions of its own: offline, against a
 * scripted model on loopback. Leaves nothing behind.
 *
 * @param command - The CLI's executable. Undefined: the one that is served with.
 * @param tell - Is told of each as it is found.
 * @returns whether all of them hold.
 * @throws whatever kept it from being carried out.
 */
export async function runDoctor(
  command: string | undefined,
  log: Log,
  signal: AbortSignal,
  tell: (finding: Finding) => Promise<void>,
): Promise<boolean> {
  await using agent = await examineAgent(examinationScript, command, log, signal);
  let isSound = true;
  for (const { name, holds: text, without, check } of AGENT_FACTS) {
    const seen = await check(agent).catch((error: unknown) => {
      signal.throwIfAborted();
      return String(error);
    });
    const holds = seen === undefined;
    isSound &&= holds;
    await tell({ fact: name, holds, text, seen: seen ?? "", without: holds ? "" : without });
  }
  return isSound;
}
