import { recall, repairCommand, shellPath, wrongLine } from "./scenario.ts";
import { bash, type Script, say } from "./script.ts";

/** A repair in three turns: the server that runs the second is killed, and the third goes on elsewhere. */
export interface ReplicasScenario {
  readonly findPrompt: string;
  readonly repairPrompt: string;
  readonly goOnPrompt: string;
  readonly script: Script;
}

/** While this file is there the second turn waits; it is there until the end. */
export function lockOf(configPath: string): string {
  return `${configPath}.lock`;
}

/** A repair of the file at `configPath`, which holds what `brokenConfig` makes. */
export function replicasScenario(configPath: string): ReplicasScenario {
  const file = shellPath(configPath);
  const prompts = {
    findPrompt: "The billing gateway does not start. Find out why.",
    repairPrompt: "Repair it.",
    goOnPrompt: "What became of the repair? Go on with it, and tell which serial the gateway has.",
  };
  return {
    ...prompts,
    script: [
      {
        when: prompts.findPrompt,
        steps: [
          say("I look at the gateway's configuration."),
          bash(`cat ${file}`, "Read the configuration"),
          say(({ toolOutputs }) => `There it is: ${wrongLine(toolOutputs)}; no port is that high.`),
        ],
      },
      {
        when: prompts.goOnPrompt,
        steps: [
          say(({ toolOutputs }) => `${recall(toolOutputs)} I look at what was done to it.`),
          bash(`cat ${file}`, "Read the configuration again"),
          say(({ toolOutputs }) => `The repair was not made: ${wrongLine(toolOutputs)} still.`),
          bash(repairCommand(file), "Repair the port and read it back"),
          say("Repaired: the gateway listens on a port that exists, and its old file is kept."),
        ],
      },
      {
        when: prompts.repairPrompt,
        steps: [
          say("I wait until nobody else changes the configuration, and change the port then."),
          bash(
            `while [ -e ${shellPath(lockOf(configPath))} ]; do sleep 1; done; ${repairCommand(file)}`,
            "Wait, and repair the port",
          ),
          say("Repaired."),
        ],
      },
    ],
  };
}
