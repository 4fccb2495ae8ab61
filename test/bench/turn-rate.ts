/**
 * `turn-rate.ts URL TURN ROUNDS`: reads a turn again and again, by connect-node's generated client and by `streamTurn`, and
 * prints what each reading took.
 */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createBreakglassClient, streamTurn } from "#client";
import { openGrpcConnection } from "#client/node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";

const [baseUrl = "", turnId = "", rounds = "1"] = process.argv.slice(2);
const generated = createClient(BreakglassService, createGrpcTransport({ baseUrl }));
const connection = openGrpcConnection(baseUrl, undefined);
const client = createBreakglassClient(connection.transport);

async function readBare(): Promise<number> {
  let last = 0;
  for await (const { event } of generated.attachTurn({ turnId })) {
    if (event !== undefined && event.sequence > 0) last = event.sequence;
  }
  return last;
}

async function readByClient(): Promise<number> {
  let last = 0;
  for await (const event of streamTurn(client, { attach: { turnId } })) {
    if (event.sequence > 0) last = event.sequence;
  }
  return last;
}

async function time(read: () => Promise<number>) {
  const before = process.cpuUsage();
  const start = performance.now();
  const events = await read();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { events, seconds, processorSeconds: (user + system) / 1e6 };
}

const readings = { bare: [] as object[], client: [] as object[] };
for (let round = 0; round < Number(rounds); round++) {
  readings.bare.push(await time(readBare));
  readings.client.push(await time(readByClient));
}
process.stdout.write(`${JSON.stringify(readings)}\n`);
// The generated client's connection stays open for as long as its transport has it.
process.exit();
