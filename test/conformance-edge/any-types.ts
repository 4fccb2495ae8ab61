import { createRegistry } from "@bufbuild/protobuf";
import { file_connectrpc_conformance_v1_service } from "./gen/connectrpc/conformance/v1/service_pb.ts";

/** What is packed into an `Any`, by the suite and by what tells back what it was asked. */
export const ANY_TYPES = createRegistry(file_connectrpc_conformance_v1_service);
