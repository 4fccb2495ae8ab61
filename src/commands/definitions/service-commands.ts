import { Argument, type Command } from "commander";
import { SERVE_SECTIONS } from "../../config/settings/sections.ts";
import { withModel } from "../model-package.ts";
import { settingsHelp } from "../settings-help.ts";
import type { Run } from "./commands.ts";

/** The shells that there is a script for. */
const SHELLS = ["bash", "zsh", "fish"] as const;

/** Adds the commands that need no server. */
export function addServiceCommands(program: Command, run: Run): void {
  program
    .command("serve")
    .description("serve until SIGTERM or SIGINT, read files again on SIGHUP")
    .configureHelp(settingsHelp(SERVE_SECTIONS))
    .action(() => run(async () => (await import("../serve.ts")).serve()));
  program
    .command("drill")
    .description(
      "rehearse a repair with the real service and agent and a scripted model; no key, no network",
    )
    .action(() => run(async () => (await withModel(() => import("../drill.ts"))).drill()));
  program
    .command("doctor")
    .description("tell what works with a CLI of this machine; no key, no network")
    .option("--agent [path]", "its program (default: the one that is served with)")
    .option("--json", "print one finding in JSON a line")
    .action((given) =>
      run(async () => (await withModel(() => import("../doctor.ts"))).doctor(given)),
    );
  program
    .command("completion")
    .description("print the script by which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) =>
      run(async () => (await import("../completion.ts")).completion(shell)),
    );
}
