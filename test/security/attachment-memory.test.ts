import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const MIB = 1024 * 1024;

/** Has a process collect its garbage and write what it keeps outside the heap, where attachments are, on SIGUSR2. */
const TELLER = `
  import { renameSync, writeFileSync } from "node:fs";
  process.on("SIGUSR2", () => {
    gc();
    const told = process.env.TMPDIR + "/external";
    writeFileSync(told + ".new", String(process.memoryUsage().external));
    renameSync(told + ".new", told);
  });`;

it("turns that run, and are read, keep nothing of the files that came with their prompts", async () => {
  await using environment = await createTestEnvironment();
  const { root, variables } = environment;
  await using server = await startServeProcess({
    ...variables,
    TMPDIR: root,
    NODE_OPTIONS: `--expose-gc --import=data:text/javascript,${encodeURIComponent(TELLER)}`,
  });
  using connection = connect(server.url);
  await using readers = new AsyncDisposableStack();
  for (let turn = 0; turn < 5; turn++) {
    const file = { name: "a.log", mediaType: "text/plain", data: new Uint8Array(8 * MIB) };
    const run = connection.client.runTurn({ prompt: "say up\nhang", attachments: [file] });
    await readers.use(new EventReader(run)).until("text");
  }
  const external = () => {
    process.kill(server.pid, "SIGUSR2");
    try {
      return Number(readFileSync(join(root, "external"), "utf8"));
    } catch {
      return Number.POSITIVE_INFINITY; // It has not been written yet.
    }
  };
  expect(await eventually(external, (bytes) => bytes < 20 * MIB)).toBeLessThan(20 * MIB);
});
