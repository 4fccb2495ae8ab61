import { recall, repairCommand, shellPath, wrongLine } from "./scenario.ts";
import { bash, type Script, say } from "./script.ts";

/** A repair in three turns: the server that runs the second is killed, and the third goes on elsewhere. */
export interface ReplicasScenario {
  readonly findPrompt: string;
  readonly repairPrompt: string;
  readonly goOnPrompt: string;
  readonly script: Script;
}

/** So long does the command of the second turn run; it is ended with its server, long before. */
const WAITING_SECONDS = 600;

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
          say("I wait for the gateway's last writes, and change the port then."),
          bash(`sleep ${WAITING_SECONDS} && ${repairCommand(file)}`, "Wait, and repair the port"),
          say("Repaired."),
        ],
      },
    ],
  };
}
