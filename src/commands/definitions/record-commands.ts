import { Argument, type Command, Option } from "commander";
import { COST_GROUPS } from "../costs.ts";
import { REPORT_FORMATS } from "../report-formats.ts";
import { append, cursor, options } from "./arguments.ts";
import { type Run, serverCommand } from "./commands.ts";

const SESSION = "the session's id, or its beginning; another's behind PRINCIPAL/";
const GRANTEE = "a principal, or role:viewer, role:operator, role:approver or role:admin";

/** Adds the commands that show what is on record, and delete it. */
export function addRecordCommands(program: Command, run: Run): void {
  serverCommand(program, "sessions", "list the sessions, most recently active first")
    .addOption(options.limit())
    .addOption(options.json("session"))
    .action((given) => run(async () => (await import("../sessions.ts")).sessions(given)));
  serverCommand(program, "turns", "list turns, newest first: a session's, or all that you may see")
    .argument("[session]", SESSION)
    .addOption(options.state())
    .addOption(options.since())
    .addOption(options.until())
    .addOption(options.principal())
    .addOption(options.origin())
    .addOption(options.grep())
    .addOption(options.limit())
    .addOption(options.json("turn"))
    .action((session: string | undefined, given) =>
      run(async () => (await import("../turns.ts")).turns(session, given)),
    );
  serverCommand(
    program,
    "show",
    "print one turn whole, as far as it has come, inputs and outputs uncut",
  )
    .argument("<turn>", "the turn's id, or its beginning")
    .addOption(options.json("event"))
    .action((turn: string, given) =>
      run(async () => (await import("../show.ts")).show(turn, given)),
    );
  serverCommand(program, "export", "print the report of a turn or a session")
    .argument("<id>", "the id of a turn or a session, or its beginning")
    .addOption(
      new Option("--format <format>", "the report's format").choices(REPORT_FORMATS).default("md"),
    )
    .action((id: string, given) =>
      run(async () => (await import("../export.ts")).exportReport(id, given)),
    );
  serverCommand(program, "costs", "print what the turns on record cost")
    .addOption(new Option("--by <what>", "put together by").choices(COST_GROUPS).default("day"))
    .addOption(options.since())
    .addOption(options.json("sum"))
    .action((given) => run(async () => (await import("../costs.ts")).costs(given)));
  addAuditCommand(program, run);
  serverCommand(
    program,
    "delete",
    "delete a session with its turns, its workspace and the agent's history",
  )
    .argument("<session>", SESSION)
    .action((session: string, given) =>
      run(async () => (await import("../delete.ts")).deleteSession(session, given)),
    );
  addSharing(program, run);
}

function addSharing(program: Command, run: Run): void {
  serverCommand(program, "share", "share a session with a principal or a role, to read it")
    .argument("<session>", SESSION)
    .argument("<with>", GRANTEE)
    .option("--operate", "also to run turns in it, to act on them, and to delete it")
    .action((session: string, grantee: string, given) =>
      run(async () => (await import("../shares.ts")).share(session, grantee, given)),
    );
  serverCommand(program, "unshare", "end such a share")
    .argument("<session>", SESSION)
    .argument("<with>", GRANTEE)
    .action((session: string, grantee: string, given) =>
      run(async () => (await import("../shares.ts")).unshare(session, grantee, given)),
    );
}

/** What `audit` can do. */
const ACTIONS = ["tail", "export", "verify", "key"] as const;

function addAuditCommand(program: Command, run: Run): void {
  serverCommand(
    program,
    "audit",
    "print or follow the record of who did what, check it, or print the key that vouches for it",
  )
    .addArgument(new Argument("<action>", "what to do").choices(ACTIONS))
    .argument(
      "[file]",
      "verify: a store, or an export; - reads one from stdin (default: the server)",
    )
    .option("--after <n>", "export: only records after this sequence", cursor)
    .option("--head <file>", "verify: heads that were kept elsewhere; any number", append)
    .option(
      "--key <file>",
      "verify: the public key that has signed them, in PEM; after a change all of them, the oldest first",
      append,
    )
    .addOption(options.limit())
    .addHelpText("after", STATUSES_OF_AUDIT)
    .action((action: (typeof ACTIONS)[number], file: string | undefined, given) =>
      run(async () => (await import("../audit.ts")).audit(action, file, given)),
    );
}

const STATUSES_OF_AUDIT = `
Exit status:
  0    done; with verify: nothing is wrong
  1    with verify: something is wrong, and the first record that is wrong was named
  2    a mistake in the command or a setting, or a file that cannot be read
  3    the server could not be reached, did not answer, or refused
  130  you left`;
