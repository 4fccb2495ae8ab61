import { expect, it } from "vitest";
import { openHttp2 } from "../edge/raw-streams.ts";
import { RawClient } from "../security/raw-client.ts";
import { http1Bytes, pathOf } from "../security/raw-requests.ts";
import { startWitness } from "../security/witness.ts";
import { eventually } from "../support/processes.ts";
import { startTestServer } from "../support/test-server.ts";

it("a body that does not end has a minute, its client is told in its protocol, and others are answered meanwhile", async () => {
  await using server = await startTestServer();
  await using witness = startWitness(server.url);
  const { host } = new URL(server.url);
  const unfinished = (method: string, contentType: string) =>
    http1Bytes({ host, method, contentType, body: [Buffer.from('{"turn')] }).subarray(0, -5);
  using unary = await RawClient.open(server.url);
  await unary.write([unfinished("GetTurn", "application/json")]);
  using streaming = await RawClient.open(server.url);
  await streaming.write([unfinished("RunTurn", "application/grpc-web+proto")]);
  const session = openHttp2(server.url);
  const grpc = session.request({
    ":method": "POST",
    ":path": pathOf("RunTurn"),
    "content-type": "application/grpc",
  });
  grpc.write(Buffer.of(0, 0));
  const trailers = new Promise<Record<string, unknown>>((resolve) => {
    grpc.on("response", (headers) => headers["grpc-status"] && resolve(headers));
    grpc.on("trailers", resolve);
  });
  const since = performance.now();
  const text = await eventually(
    () => unary.text,
    (found) => found.endsWith("0\r\n\r\n"),
    75_000,
  );
  expect(performance.now() - since).toBeGreaterThan(55_000);
  expect(text).toMatch(/^HTTP\/1.1 504 /);
  expect(text).toContain('"deadline_exceeded"');
  expect(text).toContain('"BODY_TIMEOUT"');
  expect(text).toMatch(/^connection: close\r$/im);
  const web = await eventually(
    () => streaming.text,
    (found) => found.includes("grpc-status: 4"),
    5000,
  );
  expect(web).toContain("grpc-status: 4");
  expect(await trailers).toMatchObject({ "grpc-status": "4" });
  expect(witness.faults).toEqual([]);
  session.destroy();
}, 120_000);
