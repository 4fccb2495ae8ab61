import { describe, expect, it } from "vitest";
import { bash, say } from "../../src/drill/script.ts";
import { valuesOf } from "../support/events.ts";
import { startRealCli } from "./real-cli.ts";

/** By what it finds in the server's own directory, which is of its user. */
const CALL = [
  "cd $HOME/../state && curl -gs -m 30",
  '-H "authorization: Bearer $(cat local-token)" -H "content-type: application/json" -d "{}"',
  "$(cat local-address)/breakglass.v1.BreakglassService/ListSessions",
].join(" ");

describe("the real CLI", () => {
  it("is refused by the service that it works for, also as a daemon and with the local token", async () => {
    const daemon = `env -i HOME=$HOME PATH=$PATH setsid sh -c '${CALL.replaceAll("'", "")} > answer' < /dev/null > /dev/null 2>&1 & until [ -s $HOME/../state/answer ]; do sleep 0.1; done; cat $HOME/../state/answer`;
    await using real = await startRealCli([
      { when: "call", steps: [bash(CALL), bash(daemon), say("done")] },
    ]);
    const events = await real.run({ prompt: "call the service" });
    const answers = valuesOf(events, "toolResult").map(({ content }) => content);
    expect(answers).toEqual([
      expect.stringContaining("a process of an agent may not call the server"),
      expect.stringContaining("a process of an agent may not call the server"),
    ]);
    expect((await real.client.listSessions({})).sessions).toHaveLength(1);
  });
});
