import { type Command, Option } from "commander";
import {
  append,
  count,
  cursor,
  options,
  positiveDollars,
  positiveSeconds,
  wholeSequence,
} from "./arguments.ts";
import {
  KEYS_OF_ATTACH,
  KEYS_OF_RUN,
  type Run,
  STATUSES_OF_A_TURN,
  serverCommand,
} from "./commands.ts";

const DELTAS = "text as it is written (default: on a terminal; with --json only if asked)";
const TURN = "the turn's id, or its beginning";

// Each command is imported when it is asked for: listing sessions loads no server, and serving no client.

/** Adds the commands that run a turn, follow it, and act on it. */
export function addTurnCommands(program: Command, run: Run): void {
  serverCommand(program, "run", "run a turn and print it as it happens")
    .argument("<prompt>", "what the agent is asked; - reads it from stdin")
    .option("--session <id>", "the session's UUID, or its beginning (default: a new session)")
    .option("--model <model>", "the model (default: the session's, else the server's)")
    .option("--agent <agent>", "the agent definition (default: the session's, else the server's)")
    .option("--agent-kind <kind>", "the kind of agent (default: the session's, else the server's)")
    .option("--recall", "the agent is told what the log has of the session's earlier turns")
    .option("--timeout <seconds>", "how long the turn may take", positiveSeconds)
    .option("--max-cost <usd>", "what the turn may cost, in US dollars", positiveDollars)
    .option("--max-model-turns <n>", "how often the turn may call the model", count)
    .option("--request-id <uuid>", "joins the turn that this id started before")
    .option(
      "--attach <file>",
      "an image for the model or a file for the workspace; any number",
      append,
    )
    .addOption(
      new Option("--ask", "the agent asks before tool calls that no rule allows").conflicts(
        "bypass",
      ),
    )
    .option("--bypass", "the agent does all that no rule denies")
    .option("--deltas", DELTAS)
    .option("--no-deltas", "text by whole blocks")
    .addOption(options.full())
    .addOption(options.json("event"))
    .addHelpText("after", `${KEYS_OF_RUN}\n${STATUSES_OF_A_TURN}`)
    .action((prompt: string, given) =>
      run(async () => (await import("../run.ts")).run(prompt, given)),
    );
  serverCommand(program, "attach", "print a turn, running or ended, and follow it to its end")
    .argument("<turn>", TURN)
    .option("--after <n>", "only what follows this sequence", wholeSequence)
    .option("--deltas", DELTAS)
    .option("--no-deltas", "text by whole blocks")
    .addOption(options.full())
    .addOption(options.json("event"))
    .addHelpText("after", `${KEYS_OF_ATTACH}\n${STATUSES_OF_A_TURN}`)
    .action((turn: string, given) =>
      run(async () => (await import("../attach.ts")).attach(turn, given)),
    );
  serverCommand(program, "cancel", "end a running turn and print how it ended")
    .argument("<turn>", TURN)
    .action((turn: string, given) =>
      run(async () => (await import("../cancel.ts")).cancel(turn, given)),
    );
  serverCommand(
    program,
    "interrupt",
    "have the agent stop what it does, keep its process, and print how the turn ended",
  )
    .argument("<turn>", TURN)
    .action((turn: string, given) =>
      run(async () => (await import("../interrupt.ts")).interrupt(turn, given)),
    );
  serverCommand(program, "steer", "hand a running turn another message")
    .argument("<turn>", TURN)
    .argument("<message>", "what the agent is told; - reads it from stdin")
    .option("--request-id <uuid>", "tells nothing twice")
    .action((turn: string, message: string, given) =>
      run(async () => (await import("../steer.ts")).steer(turn, message, given)),
    );
  addApprovalCommands(program, run);
  serverCommand(
    program,
    "watch",
    "print each turn as it starts, changes and ends, and what waits for an approval, until Ctrl-C; of a session as it starts and ends",
  )
    .argument("[session]", "the session's id, or its beginning (default: all that you may see)")
    .option("--after <cursor>", "only what follows this cursor", cursor)
    .addOption(options.state())
    .addOption(options.principal())
    .addOption(options.origin())
    .addOption(options.grep())
    .addOption(options.json("change"))
    .action((session: string | undefined, given) =>
      run(async () =>
        session === undefined
          ? (await import("../watch-all.ts")).watchAll(given)
          : (await import("../watch.ts")).watch(session, given),
      ),
    );
}

function addApprovalCommands(program: Command, run: Run): void {
  const APPROVAL = "the approval's id, or its beginning";
  serverCommand(
    program,
    "approvals",
    "list what waits for an approval, and the commands that answer it",
  )
    .addOption(options.limit())
    .addOption(options.json("approval"))
    .action((given) => run(async () => (await import("../approvals.ts")).approvals(given)));
  serverCommand(program, "approve", "allow a tool call that waits for an approval")
    .argument("<turn>", TURN)
    .argument("<approval>", APPROVAL)
    .option("--input <json>", "the input to make the call with instead; - reads it from stdin")
    .action((turn: string, approval: string, given) =>
      run(async () => (await import("../approve.ts")).approve(turn, approval, given)),
    );
  serverCommand(program, "deny", "deny a tool call that waits for an approval")
    .argument("<turn>", TURN)
    .argument("<approval>", APPROVAL)
    .option("--message <text>", "what the agent is told")
    .action((turn: string, approval: string, given) =>
      run(async () => (await import("../approve.ts")).deny(turn, approval, given)),
    );
}
