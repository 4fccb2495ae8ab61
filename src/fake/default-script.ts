import { checkScript } from "./read-script.ts";
import type { Script } from "./script.ts";

/** What is played where no script is given: a small repair, whatever is asked. */
export const DEFAULT_SCRIPT: Script = checkScript({
  turns: [
    {
      steps: [
        { pieces: ["I look at ", "the gateway's ", "configuration."] },
        {
          tool: {
            name: "Bash",
            input: { command: "cat /etc/gateway.conf", description: "Read the configuration" },
            output: "# billing gateway\nport = 80800\n",
          },
        },
        { pieces: ["There it is: port = 80800; ", "no port is that high."] },
        {
          tool: {
            name: "Bash",
            input: {
              command: "sed -i 's/80800/8080/' /etc/gateway.conf && cat /etc/gateway.conf",
              description: "Repair the port and read it back",
            },
            output: "# billing gateway\nport = 8080\n",
          },
        },
        { pieces: ["Repaired: ", "the gateway listens on a port that exists."] },
      ],
    },
  ],
});
