import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { externalBytes, startWeighedServer } from "../support/external-memory.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const MIB = 1024 * 1024;
const ASKED_BYTES = 64 * MIB;

/** Questions for the service, whose answers are a hundred times as long. */
function questions(): Buffer {
  const symbol = Buffer.from("breakglass.v1.BreakglassService");
  const message = Buffer.concat([Buffer.of(0x22, symbol.length), symbol]);
  const asked = Buffer.concat([Buffer.of(0, 0, 0, 0, message.length), message]);
  return Buffer.concat(new Array<Buffer>(Math.ceil(MIB / asked.length)).fill(asked));
}

function ask(session: ClientHttp2Session): ClientHttp2Stream {
  return session
    .request({
      ":method": "POST",
      ":path": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "content-type": "application/grpc",
    })
    .on("error", () => {})
    .pause();
}

it("who asks on and on and takes no answer has nothing kept of what it asks", async () => {
  await using environment = await createTestEnvironment();
  const { root, variables } = environment;
  await using server = await startWeighedServer(root, variables);
  const session = connect(server.url, { maxSessionMemory: 1000 });
  using _closed = { [Symbol.dispose]: () => session.destroy() };
  const stream = ask(session);
  const piece = questions();
  let taken = 0;
  for (let sent = 0; sent < ASKED_BYTES && !stream.destroyed; sent += piece.length) {
    stream.write(piece, () => {
      taken += piece.length;
    });
    await setImmediate();
  }
  await eventually(
    () => taken,
    (bytes) => bytes >= ASKED_BYTES || stream.destroyed,
  );
  expect(taken).toBeGreaterThanOrEqual(ASKED_BYTES);
  const external = () => externalBytes(server, root);
  expect(await eventually(external, (bytes) => bytes < 20 * MIB)).toBeLessThan(20 * MIB);
});
