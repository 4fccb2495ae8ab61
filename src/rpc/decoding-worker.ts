import { parentPort } from "node:worker_threads";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { serveDecoding } from "./serve-decoding.ts";

/** The thread that reads messages which would hold up the one that serves clients. */
serveDecoding(BreakglassService, parentPort!);
