import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";

/** The service as a client calls it. Its calls throw ConnectError. */
export type BreakglassClient = Client<typeof BreakglassService>;

/** A client over any transport: gRPC, gRPC-Web or Connect, in Node or in a browser. */
export function createBreakglassClient(transport: Transport): BreakglassClient {
  return createClient(BreakglassService, transport);
}
