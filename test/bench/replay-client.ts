/** Reads the turn named of the server at the URL given by our client, and prints how many events came in how many seconds. */
import { createBreakglassClient, streamTurn } from "#client";
import { openGrpcConnection } from "#client/node";

const [url = "", turnId = ""] = process.argv.slice(2);
const connection = openGrpcConnection(url, undefined);
const client = createBreakglassClient(connection.transport);
const start = performance.now();
let events = 0;
for await (const { sequence } of streamTurn(client, { attach: { turnId } })) {
  if (sequence > 0) events++;
}
const seconds = (performance.now() - start) / 1000;
process.stdout.write(`${JSON.stringify({ events, seconds })}\n`);
connection.close();
