import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { longestHold, recordingHolds } from "../support/loop-holds.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

// What an agent prints at once can be tens of thousands of lines, each of which is an event.

const LINE = JSON.stringify({ type: "system", subtype: "local_command_output", content: "x" });

it("hold no one up, however many an agent prints at once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  const holds = join(directory, "holds");
  await using environment = await createTestEnvironment(recordingHolds(holds));
  await using server = await startServeProcess(environment.variables);
  using connection = connect(server.url);
  const { client } = connection;
  await collect(client.runTurn({ prompt: "print x" }));
  await longestHold(server.pid, holds);
  const events = await collect(client.runTurn({ prompt: `repeat 65000 ${LINE}` }));
  expect(valuesOf(events, "notice")).toHaveLength(65_000);
  expect(valuesOf(events, "result")).toHaveLength(1);
  expect((await longestHold(server.pid, holds)).cpuMs).toBeLessThan(110);
  await rm(directory, { recursive: true });
});
