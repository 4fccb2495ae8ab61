import { describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { MARKER } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

describe("the agent's environment", () => {
  it("holds what is on the list and what the operator named, and nothing else", async () => {
    await using server = await startTestServer({
      BREAKGLASS_AGENT_ENV: `${MARKER},KUBECONFIG`,
      KUBECONFIG: "/etc/kube",
      LC_ALL: "C.UTF-8",
      ANTHROPIC_API_KEY: "made-up",
      AWS_SECRET_ACCESS_KEY: "secret",
      BREAKGLASS_TOKEN: "secret",
      DATABASE_URL: "postgres://secret",
      NODE_OPTIONS: "--no-warnings",
      LD_PRELOAD: "",
    });
    using connection = connect(server.url);
    // The environment that the agent was started with; what it adds for its own children does not count.
    const prompt = "bash tr '\\0' '\\n' < /proc/$PPID/environ";
    const events = await collect(connection.client.runTurn({ prompt }));
    const { content } = valuesOf(events, "toolResult")[0]!;
    const names = content.split("\n").flatMap((line) => line.split("=", 1).filter(Boolean));
    expect(names.sort()).toEqual(
      [
        ...["ANTHROPIC_API_KEY", "BREAKGLASS_PROCESS_ID", "CLAUDE_CODE_DISABLE_FILE_MENTIONS"],
        ...["CLAUDE_CODE_EAGER_FLUSH", "DISABLE_AUTOUPDATER", "HOME", "KUBECONFIG", "LC_ALL"],
        ...["PATH", MARKER],
      ].sort(),
    );
    expect(content).not.toContain("secret");
  });
});
