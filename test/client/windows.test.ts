import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { type GrpcConnectionOptions, openGrpcConnection } from "#client/node";
import { eventually } from "../support/processes.ts";

const MIB = 1024 * 1024;
/** HTTP/2's own. */
const NARROW = 65_535;

/** How much a server may send at once: on a stream, and on the connection of a client with these options. */
async function windowsOf(options: GrpcConnectionOptions) {
  using cleanup = new DisposableStack();
  // Its calls stay open.
  const server = createServer().on("stream", (stream) => stream.on("error", () => {}));
  cleanup.defer(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connection = openGrpcConnection(`http://127.0.0.1:${port}`, undefined, options);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);
  client.listSessions({}).catch(() => {});
  const [session] = (await once(server, "session")) as [ServerHttp2Session];
  cleanup.defer(() => session.destroy());
  const asServed = () => ({
    stream: session.remoteSettings.initialWindowSize ?? NARROW,
    connection: session.state.remoteWindowSize ?? NARROW,
  });
  return await eventually(
    asServed,
    ({ stream, connection }) => Math.min(stream, connection) > NARROW,
  );
}

describe("a connection of the client's", () => {
  it("lets 8 MiB come in one round trip, of a stream and of all together", async () => {
    expect(await windowsOf({})).toEqual({ stream: 8 * MIB, connection: 8 * MIB });
  });

  it("lets as much come as it is told", async () => {
    const windowBytes = 3 * MIB;
    expect(await windowsOf({ windowBytes })).toEqual({
      stream: windowBytes,
      connection: windowBytes,
    });
  });

  it.each([0, 65_534, 2 ** 31, Number.NaN])("is not made with windows of %d", (windowBytes) => {
    expect(() => openGrpcConnection("http://127.0.0.1:1", undefined, { windowBytes })).toThrow(
      /^windowBytes must be from 65535 to 2147483647, and not /,
    );
  });
});
