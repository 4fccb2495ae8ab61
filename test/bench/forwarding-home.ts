/**
 * Stands for a home in the benchmark of forwarding: each stream that another replica hands on gets events at a rate, each of the
 * bytes that a usual one has. Arguments: the secret's file, its port, events a second. Prints a line when it listens.
 */

import { readCredentials } from "../../src/cluster/credentials.ts";
import { listenForPeers } from "../../src/cluster/peer-listener.ts";
import type { HttpResponse } from "../../src/edge/http.ts";
import { createLog } from "../../src/log.ts";
import { EVENT_BYTES } from "./forwarding.ts";

/** How often the streams are looked at, each of which is given what is due. */
const TICK_MS = 10;

const [file = "", port = "", rate = "10"] = process.argv.slice(2);
const streams: HttpResponse[] = [];
const event = Buffer.alloc(5 + EVENT_BYTES, "x");
event[0] = 0;
event.writeUInt32BE(EVENT_BYTES, 1);
const credentials = readCredentials({ kind: "secret", file });
await listenForPeers(
  { host: "127.0.0.1", port: Number(port) },
  () => credentials,
  (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/grpc+proto" });
    response.write(event);
    streams.push(response);
  },
  createLog(() => {}),
);
const started = performance.now();
let given = 0;
setInterval(() => {
  const due = Math.floor(((performance.now() - started) / 1000) * Number(rate) * streams.length);
  // Nobody is given more at once than would have come in a moment's pause.
  given = Math.max(given, due - streams.length);
  for (; given < due; given++) streams[given % streams.length]!.write(event);
}, TICK_MS);
process.stdout.write("listens\n");
