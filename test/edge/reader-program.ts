// A client in a process of its own: VERSION URL TURN [TOKEN]. Prints a line when it has its first event, and reads on.
import { createConnectTransport } from "@connectrpc/connect-node";
import { createBreakglassClient } from "#client";

const [version, baseUrl = "", turnId = "", token = ""] = process.argv.slice(2);
const transport = createConnectTransport({
  baseUrl,
  httpVersion: version === "2" ? "2" : "1.1",
  interceptors: [
    (next) => (request) => {
      if (token !== "") request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  ],
});
const client = createBreakglassClient(transport);
for (let isRead = false; !isRead; ) {
  try {
    for await (const _response of client.attachTurn({ turnId })) {
      if (!isRead) console.log("attached");
      isRead = true;
    }
  } catch {
    // The place is not free yet; afterwards: the network is gone.
  }
}
