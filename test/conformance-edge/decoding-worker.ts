import { parentPort } from "node:worker_threads";
import { serveDecoding } from "../../src/rpc/serve-decoding.ts";
import { ANY_TYPES } from "./any-types.ts";
import { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.ts";

serveDecoding(ConformanceService, parentPort!, ANY_TYPES);
