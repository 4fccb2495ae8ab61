import { expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { externalBytes, startWeighedServer } from "../support/external-memory.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const MIB = 1024 * 1024;

it("turns that run, and are read, keep nothing of the files that came with their prompts", async () => {
  await using environment = await createTestEnvironment();
  const { root, variables } = environment;
  await using server = await startWeighedServer(root, variables);
  using connection = connect(server.url);
  await using readers = new AsyncDisposableStack();
  for (let turn = 0; turn < 5; turn++) {
    const file = { name: "a.log", mediaType: "text/plain", data: new Uint8Array(8 * MIB) };
    const run = connection.client.runTurn({ prompt: "say up\nhang", attachments: [file] });
    await readers.use(new EventReader(run)).until("text");
  }
  const external = () => externalBytes(server, root);
  expect(await eventually(external, (bytes) => bytes < 20 * MIB)).toBeLessThan(20 * MIB);
});
