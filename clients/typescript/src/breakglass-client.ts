import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { BreakglassService } from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
import { closingOf, setClosing } from "./connection-closed.ts";
import { isPage, warningOfFullConnections } from "./open-streams.ts";

/** The service as a client calls it. Its calls throw ConnectError. */
export type BreakglassClient = Client<typeof BreakglassService>;

/** How a client tells what is no error. */
export interface ClientOptions {
  /** Told, once, that a page's open streams take all connections that a browser has; by default where a page says such things. */
  readonly onWarning?: (message: string) => void;
}

/** A client over any transport: gRPC, gRPC-Web or Connect, in Node or in a browser. */
export function createBreakglassClient(
  transport: Transport,
  { onWarning = (message) => console.warn(message) }: ClientOptions = {},
): BreakglassClient {
  const used = isPage() ? warningOfFullConnections(transport, onWarning) : transport;
  const client = createClient(BreakglassService, used);
  setClosing(client, closingOf(transport));
  return client;
}
