/** Connections of the client for Node. Wants `@connectrpc/connect-node`. @module */
export { ConnectionClosedError } from "./connection-closed.ts";
export {
  type GrpcConnection,
  type GrpcConnectionOptions,
  openGrpcConnection,
} from "./grpc-connection.ts";
