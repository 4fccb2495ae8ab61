import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startTestServer } from "../support/test-server.ts";

// A process that is to wait for a session, and answers nothing: 60 s are given to it.

it("holds up no drain, whenever that comes", async () => {
  const directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  const command = join(directory, "agent");
  await writeFile(command, "#!/bin/sh\nexec sleep 300\n");
  await chmod(command, 0o755);
  await using server = await startTestServer({
    BREAKGLASS_AGENT_COMMAND: command,
    BREAKGLASS_SPARE_PROCESSES: "4",
  });
  const began = performance.now();
  await server.drain();
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(server.processes()).toEqual([]);
  await rm(directory, { recursive: true });
});
