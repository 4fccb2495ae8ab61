import { delimiter, dirname } from "node:path";
import { basename } from "node:path/posix";
import { type CalledAs, readCalledAs } from "../config/environment.ts";
import { joined, type Printable, print, shellWord, terminalText } from "./terminal-text.ts";

/** The script of package.json that is the command line. */
const NPM_SCRIPT = "breakglass";
/** Those that are one command of it. */
const NPM_COMMANDS = ["start", "drill"];

/** How Node was called. */
export interface NodeCall {
  /** As it was typed. */
  readonly node: string;
  readonly options: readonly string[];
  /** The program's file, by the link through which it was called. */
  readonly file: string;
}

/**
 * What a command begins with that is printed to be run: as the person called this one, so that it works where it is printed.
 */
export function calledAs(
  called: CalledAs = readCalledAs(),
  call: NodeCall = {
    node: process.argv0,
    options: process.execArgv,
    file: process.argv[1] ?? "breakglass",
  },
): Printable {
  if ([NPM_SCRIPT, ...NPM_COMMANDS].includes(called.npmScript)) {
    return print`npm run -s breakglass --`;
  }
  if (called.wrapper !== "") return shellWord(called.wrapper);
  if (basename(call.file) === "breakglass") {
    if (called.isNpx) return print`npx breakglass`;
    const isOnPath = called.searchPath.split(delimiter).includes(dirname(call.file));
    return isOnPath ? print`breakglass` : shellWord(call.file);
  }
  // Node's own options, which begin with what no other word may begin with.
  const options = call.options.map((option) => terminalText(option));
  return joined([shellWord(call.node), ...options, shellWord(call.file)], " ");
}

/** Makes a command that can be run as it is printed, such as `./breakglass attach --url URL TURN`. */
export type CommandForm = (name: string, rest: Printable) => Printable;

/**
 * The form of commands that reach the server that this one does.
 *
 * @param url - What `--url` said. Undefined: the environment says it for the next command too.
 */
export function commandForm(url: string | undefined, prefix: Printable = calledAs()): CommandForm {
  const option = url === undefined ? print`` : print` --url ${shellWord(url)}`;
  return (name, rest) =>
    print`${prefix} ${shellWord(name)}${option}${rest === "" ? print`` : print` ${rest}`}`;
}
