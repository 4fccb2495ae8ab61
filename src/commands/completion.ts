import { resolve } from "node:path";
import completions from "@bomb.sh/tab";
import { readCalledAs } from "../config/environment.ts";
import { bashCompletion } from "./bash-completion.ts";
import { calledAs } from "./command-form.ts";
import { ExitStatus } from "./exit-status.ts";

/** Prints the script by which a shell completes the command line: it asks `complete` each time. */
export async function completion(shell: "bash" | "zsh" | "fish"): Promise<ExitStatus> {
  if (shell === "bash") process.stdout.write(bashCompletion(anywhere()));
  else completions.setup("breakglass", anywhere(), shell);
  return ExitStatus.ok;
}

/** What calls this command line from whatever directory. */
function anywhere(): string {
  const called = { ...readCalledAs(), npmScript: "" };
  const { wrapper } = called;
  return calledAs({ ...called, wrapper: wrapper.includes("/") ? resolve(wrapper) : wrapper });
}
