import { type Command, Option } from "commander";
import { roles, until } from "./arguments.ts";
import type { Run } from "./commands.ts";

const FILE = "the file of tokens (default: BREAKGLASS_TOKENS_FILE)";

/** Adds the commands that make tokens, list them and take them back; a server that runs takes it up by itself. */
export function addTokenCommands(program: Command, run: Run): void {
  const token = program
    .command("token")
    .description("make, list and revoke the tokens of a file; a server takes it up by itself");
  token
    .command("create")
    .description("make a token, print it once, and write its hash to the file")
    .argument("<principal>", "whose it is")
    .addOption(
      new Option("--roles <roles>", "what it may do: viewer, operator, approver, admin")
        .argParser(roles)
        .default(["operator"], "operator"),
    )
    .option("--expires <when>", "when it ends: 30d, 12h, 2027-01-01, 2027-01-01T00:00:00Z", until)
    .option("--file <file>", FILE)
    .action((principal: string, given) =>
      run(async () => (await import("../token.ts")).createToken(principal, given)),
    );
  token
    .command("list")
    .description("list the tokens of the file: ids, principals, roles, ends")
    .option("--json", "print one token in JSON a line")
    .option("--file <file>", FILE)
    .action((given) => run(async () => (await import("../token.ts")).listTokens(given)));
  token
    .command("revoke")
    .description("take a token from the file; what it has opened goes on")
    .argument("<id>", "the token's id, or its beginning")
    .option("--file <file>", FILE)
    .action((id: string, given) =>
      run(async () => (await import("../token.ts")).revokeToken(id, given)),
    );
}
