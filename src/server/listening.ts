import { admissionsOfForwarded, type Cluster } from "../cluster/cluster.ts";
import type { Homes } from "../cluster/homes.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { RequestListener } from "../edge/http.ts";
import { type Listener, type ListenerTls, listen } from "../edge/listener.ts";
import type { Readers } from "../edge/readers.ts";
import { ResetLimits } from "../edge/reset-limits.ts";
import { plainHttp } from "../http/plain-http.ts";
import { addressText, boundAddressOf, hostsOf, schemeOf } from "../listen-address.ts";
import type { Log } from "../log.ts";
import { type Admission, type Admissions, admissionsBy } from "../rpc/admission.ts";
import type { DescribeServer } from "../rpc/describe-server.ts";
import { Origins } from "../rpc/origins.ts";
import type { Peers } from "../rpc/peers.ts";
import { PrincipalRequests } from "../rpc/principal-requests.ts";
import { RefusedRequests } from "../rpc/refused-requests.ts";
import { requestListener } from "../rpc/request-listener.ts";
import { createRequestReading } from "../rpc/request-reading.ts";
import { createHandlers } from "../rpc/router.ts";
import type { Turns } from "../turns/turns.ts";
import type { ReadFiles } from "./access.ts";
import type { ServerAudit } from "./audit.ts";
import type { Identity } from "./identity.ts";
import { type ServerFacts, serverInfo } from "./info.ts";
import type { Telemetry } from "./telemetry.ts";

const TOO_MANY_RESETS = "too many requests of its connection were reset before they were answered";

/** What stands between the parts of a server that is to fail on purpose. */
export interface Interposed {
  /** Stands before what answers requests. */
  listener(answer: RequestListener): RequestListener;
  /** Stands before what decides on them. */
  admissions(admissionOf: Admissions): Admissions;
  /** Whoever calls is taken for the server's own user. */
  readonly trustsEveryone: boolean;
  /** Tells in the store's place where sessions and turns are at home. */
  readonly homes?: Homes;
}

/** What stands behind a listener. */
interface ServedParts {
  readonly turns: Turns;
  readonly audit: ServerAudit;
  readonly facts: ServerFacts;
  readonly readers: Readers;
  readonly telemetry: Telemetry;
  /** Undefined: there are no other replicas. */
  readonly cluster: Cluster | undefined;
  /** Where things are at home, of several replicas. */
  readonly homes: Homes;
}

/** Of what other replicas hand on: where it came from was looked at there, and it was counted there. */
const HANDED_ON = {
  origins: { corsHeaders: () => ({}), refusalOf: () => undefined },
  requests: { count: (admission: Admission) => admission },
};

/**
 * Listens where the settings say, and answers what comes.
 *
 * @throws ConfigError where that address cannot be listened on.
 */
export async function listenFor(
  config: ServeConfig,
  files: ReadFiles,
  {
    signIn,
    refused,
    peers,
  }: Pick<Identity, "signIn" | "refused"> & {
    readonly peers: Pick<Peers, "of" | "establish">;
  },
  served: ServedParts,
  log: Log,
  interposed: Interposed,
): Promise<Listener> {
  const { maxPromptBytes, maxAttachmentBytes } = config;
  const { readers } = served;
  const { happenings, metrics } = served.telemetry;
  const resets = new ResetLimits((session) => readers.endConnection(session, TOO_MANY_RESETS));
  const limits = { ...config, resets };
  const { cluster } = served;
  const routing = cluster?.routing(served.homes);
  let answerReplicas: RequestListener | undefined;
  let listener: Listener | undefined;
  try {
    listener = await listen(boundAddressOf(config), encryptionOf(files), limits, log, (port) => {
      const hosts = hostsOf(config, port);
      const origins = new Origins(schemeOf(config.tls), hosts, config.allowedOrigins);
      const sizes = { maxPromptBytes, maxAttachmentBytes };
      const isOver = (principal: string) => resets.isOver(principal);
      const admissionOf = interposed.admissions(admissionsBy(signIn, peers, isOver));
      const reading = createRequestReading(sizes, log);
      const refusedRequests = new RefusedRequests(log, refused, happenings);
      const requests = new PrincipalRequests(config);
      const { turns, audit, facts } = served;
      const checks = () => facts.readiness.checks();
      const describeServer: DescribeServer = (caller) => serverInfo(facts, caller);
      const parts = { turns, audit, describeServer, checks, admissionOf };
      const given = { ...parts, ...sizes, readers, resets, requests };
      const common = { ...given, reading, refusedRequests, metrics, log };
      const handlers = createHandlers(common);
      const handedOn = { ...common, ...HANDED_ON, admissionOf: admissionsOfForwarded(peers) };
      answerReplicas = requestListener({ ...handedOn, handlers, plain: plainHttp(handedOn) });
      const own = { ...common, routing };
      const plain = plainHttp(own);
      return interposed.listener(requestListener({ ...own, handlers, plain, origins }));
    });
  } catch (error) {
    const shown = addressText(config.listen);
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    const why = code === "EADDRINUSE" ? `${code}: another program listens there already` : code;
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, which cannot be listened on: ${why}`,
    );
  }
  try {
    await cluster?.listen((...request) => answerReplicas?.(...request));
    return listener;
  } catch (error) {
    listener.destroy();
    await listener.close();
    throw error;
  }
}

/** What a listener encrypts with. Undefined: it does not. */
export function encryptionOf({ certificate, clientCa }: ReadFiles): ListenerTls | undefined {
  if (certificate === undefined) return undefined;
  const isClientCertificateOptional = true;
  return { ...certificate.current, clientCa: clientCa?.current, isClientCertificateOptional };
}
