import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** Stands before a server and keeps what it is sent. */
export interface BodyRecorder extends AsyncDisposable {
  readonly url: string;
  /** The bodies of all requests that had one, oldest first. */
  readonly bodies: readonly string[];
}

/** Starts one on loopback that hands everything on to `target`, and the answers back as they come. */
export async function startBodyRecorder(target: string): Promise<BodyRecorder> {
  const bodies: string[] = [];
  const server = createServer(async (incoming, outgoing) => {
    try {
      const body = await buffer(incoming);
      if (body.length > 0) bodies.push(body.toString());
      const { method = "GET", headers, url = "/" } = incoming;
      const onward = request(new URL(url, target), { method, headers });
      // Whoever goes away takes the other one along.
      outgoing.on("close", () => onward.destroy());
      onward.on("error", () => outgoing.destroy());
      onward.on("response", (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.on("error", () => outgoing.destroy());
      });
      onward.end(body);
    } catch {
      outgoing.destroy(); // The caller went away while it was sending.
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
