/**
 * Starts a turn at the URL given by plain HTTP, reads its server-sent events off the socket, and prints how many came in how
 * many seconds. It takes nothing apart, so that the server is what is measured.
 */
import { connect } from "node:net";

const [url = ""] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
const body = JSON.stringify({ prompt: "go" });
const request = [
  "POST /v1/turns HTTP/1.1",
  `host: ${host}`,
  "content-type: application/json",
  "accept: text/event-stream",
  "connection: close",
  `content-length: ${body.length}`,
];
/** No text of an event holds a line break. */
const EVENT = Buffer.from("\ndata: {");
/** One of these, or two, as the agent is quick. */
const CHECKPOINT = Buffer.from('\ndata: {"kind":"checkpoint"');
/** One event is never cut by a chunk of the body, but what is read of the socket ends anywhere. */
const CARRIED = CHECKPOINT.length - 1;

const start = performance.now();
const socket = connect(Number(port), hostname);
socket.write(`${request.join("\r\n")}\r\n\r\n${body}`);
let events = 0;
let carried = Buffer.alloc(0);
socket.on("data", (chunk: Buffer) => {
  const bytes = Buffer.concat([carried, chunk]);
  events += countOf(EVENT, bytes) - countOf(CHECKPOINT, bytes);
  carried = bytes.subarray(-CARRIED);
  // What is carried is counted with what follows it.
  events -= countOf(EVENT, carried);
});
socket.on("close", () => {
  events += countOf(EVENT, carried);
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${JSON.stringify({ events, seconds })}\n`);
});

function countOf(mark: Buffer, bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(mark); at !== -1; at = bytes.indexOf(mark, at + 1)) count++;
  return count;
}
