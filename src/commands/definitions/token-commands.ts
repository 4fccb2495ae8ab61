import type { Command } from "commander";
import type { Run } from "./commands.ts";

/** Adds the commands about tokens. */
export function addTokenCommands(program: Command, run: Run): void {
  const token = program.command("token").description("tell the tokens of a server of yours");
  token
    .command("local")
    .description(
      "print the token by which the server's own user is known, where it has no tokens file",
    )
    .action(() => run(async () => (await import("../token.ts")).localToken()));
}
