import { bash, type Script, say } from "./script.ts";

/** What a broken machine is told and how the scripted model mends it. */
export interface Scenario {
  /** The first turn's prompt. */
  readonly repairPrompt: string;
  /** The second turn's prompt, which cannot be answered without the first turn. */
  readonly recallPrompt: string;
  /** What the model does. It knows neither the serial nor what the commands print. */
  readonly script: Script;
}

const REPAIR_PROMPT = "The billing gateway does not start. Find out why and repair it.";
/** The line of the configuration that is wrong. */
export const BROKEN_LINE = "port = 80800";
/** The same line as the repair leaves it. */
export const REPAIRED_LINE = "port = 8080";

/** The configuration of a service that does not start, with a serial that only this machine knows. */
export function brokenConfig(serial: string): string {
  return `# billing gateway\nserial = ${serial}\n${BROKEN_LINE}\n`;
}

/** A repair of the file at `configPath`, which holds {@link brokenConfig}. */
export function repairScenario(configPath: string): Scenario {
  const file = shellPath(configPath);
  return {
    repairPrompt: REPAIR_PROMPT,
    recallPrompt: "Which serial did the gateway have that you repaired?",
    script: [
      {
        when: "does not start",
        steps: [
          say("I look at the gateway's configuration."),
          bash(`cat ${file}`, "Read the configuration"),
          say(({ toolOutputs }) => `There it is: ${wrongLine(toolOutputs)}; no port is that high.`),
          bash(repairCommand(file), "Repair the port and read it back"),
          say("Repaired: the gateway listens on a port that exists, and its old file is kept."),
        ],
      },
      {
        when: "Which serial",
        steps: [say(({ toolOutputs }) => recall(toolOutputs))],
      },
      {
        when: () => true,
        steps: [say(`This is a drill, and its model knows a script alone: say “${REPAIR_PROMPT}”`)],
      },
    ],
  };
}

/** A path as a shell takes it. */
export function shellPath(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Mends the file that a shell's word names, keeps what it was, and prints what it is. */
export function repairCommand(file: string): string {
  return `sed -i.bak 's/^${BROKEN_LINE}$/${REPAIRED_LINE}/' ${file} && cat ${file}`;
}

/** What the newest of some outputs says that is wrong. */
export function wrongLine(toolOutputs: readonly string[]): string {
  return /^port = .*$/m.exec(toolOutputs.at(-1) ?? "")?.[0] ?? "no port at all";
}

/** What the model remembers of what its tools printed. */
export function recall(toolOutputs: readonly string[]): string {
  const serial = /^serial = (\S+)$/m.exec(toolOutputs.join("\n"))?.[1];
  return serial === undefined ? "I remember no gateway." : `It was the gateway ${serial}.`;
}
