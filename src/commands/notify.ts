import { readServeConfig } from "../config/serve-config.ts";
import { type ReceiverTrial, tryReceiver } from "../server/notifier.ts";
import { ExitStatus } from "./exit-status.ts";
import { takeInterrupts } from "./interrupts.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, print } from "./terminal-text.ts";

const LINE_CHARACTERS = 1000;

/**
 * Sends one test to the receiver of notifications, by the settings of a server, and prints what came of it and how it was
 * signed. It is tried once.
 */
export async function notifyTest(): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const { first } = interrupts;
  const trial = await tryReceiver(readServeConfig(), first);
  if (first.aborted) return ExitStatus.detached;
  const { attempt, ms, to, headers, unencrypted } = trial;
  const lines = [
    `${outcomeOf(attempt)}, after ${ms} ms, by ${to}`,
    `signed: ${signatureOf(headers)}`,
    ...(unencrypted === undefined ? [] : [`not encrypted: ${unencrypted}`]),
  ];
  const terminal = openTerminal(process.stdout, process.stderr, false);
  for (const line of lines) await terminal.write(print`${oneLine(line, LINE_CHARACTERS)}\n`);
  return attempt.is === "taken" ? ExitStatus.ok : ExitStatus.refused;
}

function outcomeOf(attempt: ReceiverTrial["attempt"]): string {
  switch (attempt.is) {
    case "taken":
      return `taken: ${attempt.status}`;
    case "gone":
      return `not taken: ${attempt.status}, so that a server would send nothing more until SIGHUP`;
    case "failed":
      return `not taken: ${attempt.why}`;
  }
}

function signatureOf(headers: ReceiverTrial["headers"]): string {
  const count = headers["webhook-signature"].split(" ").length;
  const by = count === 1 ? "one secret" : `${count} secrets, each of which is enough`;
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  return `webhook-id ${id}, webhook-timestamp ${timestamp}, v1 (HMAC-SHA256) by ${by}`;
}
