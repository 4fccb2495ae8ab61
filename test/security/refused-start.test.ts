import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { runCommand } from "../commands/run-command.ts";
import { processesWith } from "../support/processes.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";

describe("a start that finds its port taken", () => {
  it("says so and nothing else that is wrong, and leaves no process behind", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const taken = `127.0.0.1:${port}`;
    await using environment = await createTestEnvironment({
      BREAKGLASS_LISTEN: taken,
      BREAKGLASS_SPARE_PROCESSES: "2",
    });
    const { variables } = environment;
    const { status, stderr } = await runCommand(["serve"], { environment: { ...variables } });
    expect(status).toBe(2);
    const lines = stderr.split("\n").filter((line) => line !== "");
    expect(lines.at(-1)).toBe(
      `breakglass: BREAKGLASS_LISTEN is "${taken}", which cannot be listened on: EADDRINUSE: another program listens there already`,
    );
    // How agents are held together is said first, whatever comes of the start.
    const told = lines.slice(0, -1).map((line) => JSON.parse(line));
    const wrong = told.filter(({ level }) => level !== "info").map(({ message }) => message);
    expect(wrong.filter((message) => message !== "what an agent starts is held together")).toEqual(
      [],
    );
    expect(processesWith(MARKER, variables[MARKER]!)).toEqual([]);
    await new Promise((resolve) => other.close(resolve));
  });
});
