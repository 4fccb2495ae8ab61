// Asks the server of this container whether its process answers: 0 where it does. Not whether it is ready: a server that lacks
// credentials or room is not mended by another start.
import { request } from "node:http";
import { request as requestTls } from "node:https";

const address = process.env.BREAKGLASS_LISTEN || "127.0.0.1:7433";
const port = address.slice(address.lastIndexOf(":") + 1);
const isTls = Boolean(process.env.BREAKGLASS_TLS_CERT);
const ask = isTls ? requestTls : request;
// The certificate is for the name by which others call the server.
const options = {
  host: "127.0.0.1",
  port,
  path: "/healthz",
  timeout: 4000,
  rejectUnauthorized: false,
};
const asked = ask(options, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1));
asked.on("error", () => process.exit(1));
asked.on("timeout", () => process.exit(1));
asked.end();
