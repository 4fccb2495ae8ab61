import { Argument, type Command, Option } from "commander";
import { SERVE_SECTIONS } from "../../config/settings/sections.ts";
import { withModel } from "../model-package.ts";
import { settingsHelp } from "../settings-help.ts";
import { append, count, portNumber, protocols, replicaCount } from "./arguments.ts";
import type { Run } from "./commands.ts";

/** The shells that there is a script for. */
const SHELLS = ["bash", "zsh", "fish"] as const;

const STATUSES_OF_A_TEST = `
Exit status:
  0    the receiver has taken it
  2    a mistake in the command or a setting
  3    the receiver could not be reached, did not answer in time, or did not take it`;

/** Adds the commands that need no server. */
export function addServiceCommands(program: Command, run: Run): void {
  program
    .command("serve")
    .description("serve until SIGTERM or SIGINT, read files again on SIGHUP")
    .configureHelp(settingsHelp(SERVE_SECTIONS))
    .action(() => run(async () => (await import("../serve.ts")).serve()));
  program
    .command("fake")
    .description(
      "serve with an agent that plays a script, for tests of what calls the service; no CLI, no key, no network",
    )
    .option("--script <file>", "what the agent does, in YAML or JSON (default: a small repair)")
    .option("--fault <fault>", "what goes wrong, such as cut:2s; any number", append)
    .option("--port <port>", "the port of 127.0.0.1; 0: any free one", portNumber, 7434)
    .option("--data <dir>", "keep the store there (default: a directory that is removed)")
    .option(
      "--token <token>",
      "TOKEN or PRINCIPAL:TOKEN, of which calls need one; any number",
      append,
    )
    .action((given) => run(async () => (await import("../fake.ts")).fake(given)));
  program
    .command("conformance")
    .description(
      "run a client under test through the cases that each client is held to, against the fake",
    )
    .usage("[options] -- COMMAND …")
    .argument("[command...]", "what runs the client: it reads a case from stdin, and prints events")
    .option("--only <cases>", "a case, or a file of them; * is anything; any number", append)
    .option("--skip <cases>", "the same, to be left out", append)
    .option(
      "--protocol <protocols>",
      "what is spoken: grpc, grpc-web, connect; separated by commas (default: all)",
      protocols,
    )
    .option("--jobs <n>", "so many cases at once (default: three for each processor)", count)
    .option(
      "--replicas <n>",
      "with so many servers on one PostgreSQL in place of each, behind a balancer that cuts at random; leaves out the cases without a server",
      replicaCount,
    )
    .option("--list", "print the cases, and run none")
    .option("--json", "print one result, or case, in JSON a line")
    .action((command: string[], given) =>
      run(async () => (await import("../conformance.ts")).conformance(command, given)),
    );
  program
    .command("drill")
    .description(
      "rehearse a repair with the real service and agent and a scripted model; no key, no network",
    )
    .option("--console", "in the console: a page of this server, with an approval, until Ctrl-C")
    .addOption(
      new Option(
        "--replicas <n>",
        "the same with so many servers on one PostgreSQL, behind a balancer, of which one is killed in the middle",
      )
        .argParser(replicaCount)
        .conflicts("console"),
    )
    .action((given) =>
      run(async () => (await withModel(() => import("../drill.ts"))).drill(given)),
    );
  program
    .command("doctor")
    .description("tell what on this machine keeps a server from its work, and what to do about it")
    .option(
      "--agent [path]",
      "tell what works with a CLI instead, offline (default: the one that is served with)",
    )
    .option("--json", "print one finding in JSON a line")
    .action((given) => run(async () => (await import("../doctor.ts")).doctor(given)));
  program
    .command("notify")
    .description("try the receiver of notifications")
    .command("test")
    .description("send one signed test to the receiver, and tell what came of it")
    .configureHelp(settingsHelp(SERVE_SECTIONS))
    .addHelpText("after", STATUSES_OF_A_TEST)
    .action(() => run(async () => (await import("../notify.ts")).notifyTest()));
  program
    .command("completion")
    .description("print the script by which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) =>
      run(async () => (await import("../completion.ts")).completion(shell)),
    );
}
