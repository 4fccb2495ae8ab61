/** Reads the turn named of the server at the URL given as server-sent events, and prints how many came in how many seconds. */
import { get } from "node:http";

const ID = Buffer.from("\nid: ");

const [url = "", turnId = ""] = process.argv.slice(2);
const start = performance.now();
const headers = { accept: "text/event-stream" };
get(`${url}/v1/turns/${turnId}/events`, { headers }, (response) => {
  let events = 0;
  let tail = Buffer.alloc(0);
  response.on("data", (chunk: Buffer) => {
    const bytes = Buffer.concat([tail, chunk]);
    for (let at = bytes.indexOf(ID); at !== -1; at = bytes.indexOf(ID, at + 1)) events++;
    // What an ID may begin in, and none is whole in.
    tail = bytes.subarray(-(ID.length - 1));
  });
  response.on("end", () => {
    const seconds = (performance.now() - start) / 1000;
    process.stdout.write(`${JSON.stringify({ events, seconds })}\n`);
  });
});
