import { describe, expect, it } from "vitest";
import { heldMegabytes } from "../bench/memory.ts";
import { eventually } from "../support/processes.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { RawClient } from "./raw-client.ts";
import { pathOf } from "./raw-requests.ts";
import { startWitness } from "./witness.ts";

const PROMPT_MS = 3000;

describe("requests of HTTP/1.1 that do not wait for each other's answers", () => {
  const requestTo = (host: string) =>
    `POST ${pathOf("ListSessions")} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;

  it("are answered in order where they are few, and their connection is kept", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    const { host } = new URL(server.url);
    using client = await RawClient.open(server.url);
    const nowhere = `GET /nowhere HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    const few = Buffer.from(requestTo(host) + nowhere + requestTo(host));
    for (let round = 1; round <= 3; round++) {
      await client.write([few]);
      const statuses = () => client.text.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];
      const found = await eventually(statuses, ({ length }) => length === 3 * round);
      expect(found).toEqual(Array.from({ length: round }, () => ["200", "404", "200"]).flat());
    }
  });

  it("are answered as far as they are bounded, then the connection ends, and others are served", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    await using witness = startWitness(server.url);
    const many = Buffer.from(requestTo(new URL(server.url).host).repeat(5000));
    const before = heldMegabytes(server.pid);
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(server.url)));
    const answers = await Promise.all(
      clients.map(async (client) => {
        await client.write([many]);
        return client.answer(20_000);
      }),
    );
    for (const client of clients) client[Symbol.dispose]();
    for (const { bytes, end } of answers) {
      const answer = bytes.toString("latin1");
      expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(9);
      // The last says so, and only that.
      expect(answer.match(/connection: close/gi)).toHaveLength(1);
      expect(answer.slice(answer.lastIndexOf("HTTP/1.1"))).toMatch(/connection: close/i);
      expect(end).toBe("FIN");
    }
    expect(witness.faults).toEqual([]);
    expect(witness.longestMs).toBeLessThan(PROMPT_MS);
    expect(heldMegabytes(server.pid) - before).toBeLessThan(200);
  });
});
