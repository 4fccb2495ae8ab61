/**
 * `node server.ts [--past-framework]`: the server that `connectconformance` calls. Listens, reads and writes as the service
 * does, with the suite's methods in place of its own. Reads on stdin what is asked of it, and tells on stdout where it is.
 */
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { listen } from "../../src/edge/listener.ts";
import { Readers } from "../../src/edge/readers.ts";
import { bodyLimits, RequestBodies } from "../../src/edge/request-body.ts";
import { ResetLimits } from "../../src/edge/reset-limits.ts";
import { NOBODY_TOLD } from "../../src/happenings.ts";
import { RefusedSignIns } from "../../src/identity/refused-sign-ins.ts";
import { SignIn } from "../../src/identity/sign-in.ts";
import { createLog, type Log } from "../../src/log.ts";
import { admissionsBy } from "../../src/rpc/admission.ts";
import { DecodingThread } from "../../src/rpc/decoding-thread.ts";
import { Hosts } from "../../src/rpc/hosts.ts";
import { Origins } from "../../src/rpc/origins.ts";
import { EVERYONE } from "../../src/rpc/peers.ts";
import { PrincipalRequests } from "../../src/rpc/principal-requests.ts";
import { RefusedRequests } from "../../src/rpc/refused-requests.ts";
import { requestListener } from "../../src/rpc/request-listener.ts";
import { RequestMessages } from "../../src/rpc/request-messages.ts";
import { ANY_TYPES } from "./any-types.ts";
import { readDelimited, writeDelimited } from "./delimited.ts";
import {
  type ServerCompatRequest,
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/server_compat_pb.ts";
import { ConformanceService } from "./gen/connectrpc/conformance/v1/service_pb.ts";
import { conformanceHandlers } from "./handlers.ts";

const HOST = "127.0.0.1";
const LIMITS = {
  maxConnections: 10_000,
  pingMs: 30_000,
  readerStallMs: 30_000,
  maxStalledBytes: 64 * 1024 * 1024,
};

const PLAIN = { encoding: undefined, isJson: false } as const;

const { values } = parseArgs({
  options: { "past-framework": { type: "boolean", default: false } },
});
const asked = await readDelimited(ServerCompatRequestSchema, process.stdin);
const port = await serve(asked, values["past-framework"]);
const pemCert = asked.serverCreds?.cert ?? new Uint8Array();
const told = create(ServerCompatResponseSchema, { host: HOST, port, pemCert });
writeDelimited(ServerCompatResponseSchema, told, process.stdout);

/** Resolves with the port. */
async function serve(
  { serverCreds, clientTlsCert, messageReceiveLimit: maxBytes }: ServerCompatRequest,
  isPastFramework: boolean,
): Promise<number> {
  const log = strictLog();
  const readers = new Readers(LIMITS, new AbortController().signal, log);
  const resets = new ResetLimits((session) => readers.endConnection(session, "too many resets"));
  const limits = { binaryBytes: maxBytes, jsonBytes: maxBytes, textBytes: maxBytes };
  const thread = new DecodingThread(new URL("./decoding-worker.ts", import.meta.url));
  const reading = {
    bodies: new RequestBodies(bodyLimits(maxBytes, maxBytes)),
    messages: new RequestMessages(() => limits, thread, log, ANY_TYPES),
    dialogueBytes: 8 * maxBytes,
  };
  const handlers = conformanceHandlers(maxBytes, isPastFramework, log);
  const encryption = serverCreds && {
    cert: Buffer.from(serverCreds.cert),
    key: Buffer.from(serverCreds.key),
    clientCa: clientTlsCert.length > 0 ? clientTlsCert : undefined,
  };
  const scheme = serverCreds === undefined ? "http" : "https";
  const bounds = { ...LIMITS, resets };
  const everyone = new SignIn({ authenticators: [] });
  const listener = await listen({ host: HOST, port: 0 }, encryption, bounds, log, (onPort) =>
    requestListener({
      handlers,
      origins: new Origins(scheme, new Hosts(HOST, onPort, []), []),
      admissionOf: admissionsBy(everyone, EVERYONE, () => false),
      readers,
      resets,
      requests: new PrincipalRequests({
        maxPrincipalRequests: 10_000,
        maxPrincipalRequestsPerSecond: 100_000,
      }),
      reading,
      refusedRequests: new RefusedRequests(log, new RefusedSignIns(log), NOBODY_TOLD),
      plain: () => false,
      log,
    }),
  );
  // Its start must not be in the time of the first call that waits for it: the suite looks at deadlines. A thread keeps no
  // process alive, the listener does.
  await thread.decode(ConformanceService.method.unary, [], { ...limits, ...PLAIN, maxBytes });
  return listener.port;
}

/** What is a defect ends the server, and fails the cases that it should have answered. */
function strictLog(): Log {
  const log = createLog((line) => process.stderr.write(line));
  return {
    ...log,
    error(message, fields) {
      log.error(message, fields);
      process.exit(70);
    },
  };
}
