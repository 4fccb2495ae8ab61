import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

describe("a client that floods", () => {
  it.each([
    ["headers that never end", frame(0x1, 0, 1), frame(0x9, 0, 1, 16_000)],
    ["frames of no known kind", frame(0x4, 0, 0), frame(0xfa, 0, 0, 16_000)],
    ["settings", frame(0x4, 0, 0), frame(0x4, 0, 0)],
    ["pings that it does not read the answers of", frame(0x4, 0, 0), frame(0x6, 0, 0, 8)],
  ])("with %s costs bounded memory, and others are served", async (_what, first, more) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { hostname, port } = new URL(server.url);
    const socket = connectTcp(Number(port), hostname).on("error", () => {});
    await once(socket, "connect");
    socket.pause();
    const before = process.memoryUsage().rss;
    socket.write(Buffer.concat([Buffer.from(PREFACE, "latin1"), frame(0x4, 0, 0), first]));
    const many = Buffer.concat(Array.from({ length: 1000 }, () => more));
    for (let round = 0; round < 20 && !socket.destroyed; round++) {
      if (!socket.write(many)) {
        await eventually(
          () => socket.writableLength,
          (length) => length === 0 || socket.destroyed,
          500,
        );
      }
    }
    expect(socket.bytesWritten).toBeGreaterThan(many.length / 100);
    expect(await collect(connection.client.runTurn({ prompt: "say hi" }))).toHaveLength(4);
    // What this test itself holds to send is in it too.
    expect(process.memoryUsage().rss - before).toBeLessThan(600 * 1024 * 1024);
    socket.destroy();
  });
});

/** A frame of HTTP/2: a length, a kind, flags, a stream, and zeros. */
function frame(kind: number, flags: number, stream: number, length = 0): Buffer {
  const bytes = Buffer.alloc(9 + length);
  bytes.writeUIntBE(length, 0, 3);
  bytes[3] = kind;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  return bytes;
}
