import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { readTcpQueues } from "../../src/edge/tcp-queues.ts";
import { eventually } from "../support/processes.ts";

const isLinux = process.platform === "linux";
const why = isLinux
  ? ""
  : " (not here: only Linux shows the queues of its sockets, in /proc/net/tcp)";

describe.skipIf(!isLinux)(`readTcpQueues${why}`, () => {
  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
    "tells what a peer at %s has not acknowledged",
    async (host) => {
      const server = createServer({ pauseOnConnect: true }).listen(0, host);
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const client = connect({ port, host });
      const connected = once(client, "connect");
      const [accepted] = (await once(server, "connection")) as [Socket];
      await connected;
      try {
        const before = await readTcpQueues([client, accepted]);
        expect(before.get(client)).toEqual({ unacknowledged: 0, retransmits: 0 });
        expect(before.size).toBe(2);
        // More than the kernel takes for a peer that reads nothing.
        client.write(Buffer.alloc(64 * 1024 * 1024));
        const queue = await eventually(
          async () => (await readTcpQueues([client])).get(client),
          (found) => (found?.unacknowledged ?? 0) > 0,
        );
        expect(queue?.unacknowledged).toBeGreaterThan(0);
      } finally {
        client.destroy();
        accepted.destroy();
        server.close();
      }
    },
  );
});
