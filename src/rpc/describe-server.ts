import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServerInfoSchema } from "../../gen/breakglass/v1/server_pb.ts";
import type { Caller } from "../identity/caller.ts";

/** Answers what the server is, and who it takes a caller for. */
export type DescribeServer = (caller: Caller) => Promise<MessageInitShape<typeof ServerInfoSchema>>;
