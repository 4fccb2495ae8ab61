import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { Agents } from "../agent/agents.ts";
import type { ProcessSurroundings } from "../agent/process/agent-process.ts";
import type { AgentUser } from "../agent/process/agent-user.ts";
import { type Containment, tellContainment } from "../agent/process/containment.ts";
import { createProcesses, endLeftProcesses } from "../agent/process/processes.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { capConnections } from "../descriptors.ts";
import { DiskReserve } from "../disk-reserve.ts";
import type { RequestListener } from "../edge/http.ts";
import { type Listener, type ListenerTls, listen } from "../edge/listener.ts";
import { Readers } from "../edge/readers.ts";
import { ResetLimits } from "../edge/reset-limits.ts";
import type { Owner } from "../files/owner.ts";
import type { Happenings } from "../happenings.ts";
import { Readiness } from "../health/readiness.ts";
import { plainHttp } from "../http/plain-http.ts";
import { forgetLocalAddress, tellLocalAddress } from "../identity/local-token.ts";
import { addressText, boundAddressOf, hostsOf, schemeOf, urlOf } from "../listen-address.ts";
import type { Log } from "../log.ts";
import type { Notifier } from "../notify/notifier.ts";
import type { Redaction } from "../redaction/redaction.ts";
import { type Admissions, admissionsBy } from "../rpc/admission.ts";
import type { DescribeServer } from "../rpc/describe-server.ts";
import { Origins } from "../rpc/origins.ts";
import { EVERYONE, Peers } from "../rpc/peers.ts";
import { PrincipalRequests } from "../rpc/principal-requests.ts";
import { RefusedRequests } from "../rpc/refused-requests.ts";
import { requestListener } from "../rpc/request-listener.ts";
import { createRequestReading } from "../rpc/request-reading.ts";
import { createHandlers } from "../rpc/router.ts";
import type { Store } from "../store/store.ts";
import { watchedStore } from "../store/watched-store.ts";
import type { TurnAudit } from "../turns/turn-audit.ts";
import { Turns } from "../turns/turns.ts";
import {
  localTokenOf,
  type ReadFiles,
  readFiles,
  refuseUnusableAccess,
  tellStrangers,
} from "./access.ts";
import { heedAgentAttempts } from "./agent-attempts.ts";
import { agentUserOf, letPass } from "./agent-user-access.ts";
import { ServerAudit } from "./audit.ts";
import { type Identity, openIdentity } from "./identity.ts";
import { type ServerFacts, serverInfo } from "./info.ts";
import { createNotifier, toldKindsOf, wakingStore } from "./notifier.ts";
import { createServerRedaction } from "./redaction.ts";
import { planAgents } from "./served-agents.ts";
import { openStore } from "./store.ts";
import { serverLoad, startTelemetry, type Telemetry } from "./telemetry.ts";

const TOO_MANY_RESETS = "too many requests of its connection were reset before they were answered";

/** A server that accepts connections. */
export interface Server {
  /** Such as `http://127.0.0.1:7433`. */
  readonly url: string;
  /**
   * Takes no new turns, gives the running ones a while, stops them, lets the streams end and closes. Idempotent.
   *
   * @param graceMs - How long they get. Default: as is set.
   */
  drain(graceMs?: number): Promise<void>;
  /** Kills what the turns run, without waiting and without recording it: the next start does. The process is to exit then. */
  stopNow(): void;
  /**
   * Reads rules, certificates and all that tells who somebody is again; what cannot be read stays as it was, and the log says so. Whatever runs or is
   * open goes on: the next request needs a token of the new ones, the next process of an agent has the new rules, the next
   * connection the new certificate.
   */
  reload(): void;
  /** Resolves when it is closed. */
  readonly closed: Promise<void>;
}

/** What stands between the parts of a server that is to fail on purpose. */
export interface Interposed {
  /** Stands before what answers requests. */
  listener(answer: RequestListener): RequestListener;
  /** Stands before what decides on them. */
  admissions(admissionOf: Admissions): Admissions;
  /** Whoever calls is taken for the server's own user. */
  readonly trustsEveryone: boolean;
}

const NOTHING_INTERPOSED: Interposed = {
  listener: (answer) => answer,
  admissions: (admissionOf) => admissionOf,
  trustsEveryone: false,
};

/** How long streams get to deliver what they have once their turns have ended. */
const STREAMS_END_MS = 5000;
/** How long the model may be silent before readers are told. */
const SILENCE_MS = 30_000;
/** How long what is to be told outside gets to be told. What is not is told by the next start. */
const NOTIFICATIONS_END_MS = 5000;
/** How long they get to deliver that the server ends them, and connections to be closed by their clients. */
const CONNECTIONS_END_MS = 3000;

/**
 * Starts the service: opens the store, takes over what a server before left, and listens.
 *
 * @param agentUmask - The umask of the agents' processes. Undefined: the server's own.
 * @param plan - Which agents there are to be.
 * @param interposed - What has it fail on purpose.
 * @throws ConfigError where a setting cannot be used: one line for the operator.
 */
export async function startServer(
  config: ServeConfig,
  log: Log,
  agentUmask?: number,
  plan = planAgents,
  interposed = NOTHING_INTERPOSED,
): Promise<Server> {
  const files = readFiles(config);
  refuseUnusableAccess(config, files);
  const redaction = createServerRedaction(config);
  const user = agentUserOf(config);
  const containment = tellContainment(user, log);
  const createAgents = plan(config, log);
  const maxConnections = capConnections(config, log);
  const opened = await openStore(config, log);
  const reserve = new DiskReserve(config.dataDir, config.reserveBytes, log);
  const watched = watchedStore(opened, log, reserve);
  const store = wakingStore(watched, () => notifier?.wake());
  const notifier = createNotifier(config, files, store, redaction.text, log);
  const telemetry = await startTelemetry(config, log);
  let turns: Turns | undefined;
  let audit: ServerAudit | undefined;
  let identity: Identity | undefined;
  try {
    audit = new ServerAudit(config, files.tokens?.current, store, redaction.text, log);
    letPass(user, config, log);
    const processes = processesOf(store, config, log, agentUmask, { user, containment });
    const served = createAgents(processes);
    const endProcesses = (processId: string) => endLeftProcesses(processId, processes);
    const agents = new Agents(served.byKind, served.defaultKind, endProcesses);
    turns = createTurns(
      config,
      { store, agents, redaction, audit: audit.turns, log },
      telemetry.happenings,
      user,
    );
    await turns.recover();
    await processes.families.endStrays();
    const closing = new AbortController();
    const readiness = readinessOf(config, turns, agents, reserve, audit);
    const { trustsEveryone } = interposed;
    const local = trustsEveryone ? undefined : localTokenOf(config, log);
    identity = openIdentity(config, files, local, log);
    const facts = factsOf(config, { identity, turns, agents, readiness, processes });
    const readers = new Readers(config, closing.signal, log);
    const listener = await listenFor(
      { ...config, maxConnections },
      files,
      { ...identity, peers: trustsEveryone ? EVERYONE : peersOf(processes) },
      { turns, audit, facts, readers, telemetry },
      log,
      interposed,
    );
    telemetry.watch(
      serverLoad({ turns, agents, readers, listener, reserve, audit, store: opened }, config),
    );
    // Behind the first line: it takes a disk a moment.
    void reserve.keep();
    notifier?.start();
    const { signIn } = identity;
    identity.refused.listen((refused) => audit?.refused(refused));
    heedAgentAttempts(identity.refused, processes.families, turns, audit, log);
    const heed = () => {
      audit?.tokensRead(files.tokens?.current);
      tellStrangers(config, signIn, log);
      const next = encryptionOf(files);
      if (next !== undefined) listener.setCertificate(next);
    };
    tellStrangers(config, signIn, log);
    identity.watch(heed);
    const reload = () => {
      for (const file of Object.values(files)) file?.readAgain(log);
      heed();
      served.readAgain(log);
      notifier?.reload();
    };
    const url = urlOf(config, listener.port);
    if (local !== undefined) tellLocalAddress(config.dataDir, url);
    const around = { store, notifier, telemetry, audit, families: processes.families };
    const server = running(config, url, turns, listener, closing, around, reload);
    void server.closed.then(identity.stop).then(() => processes.families.end());
    return server;
  } catch (error) {
    identity?.stop();
    // It may be removing what is off the record, and have agents that wait for sessions.
    await turns?.drain(0);
    await audit?.end();
    await store.close();
    await telemetry.close();
    throw error;
  }
}

/** What turns are made of. */
interface TurnParts {
  readonly store: Store;
  readonly agents: Agents;
  readonly redaction: Redaction;
  readonly audit: TurnAudit;
  readonly log: Log;
}

function createTurns(
  config: ServeConfig,
  { store, agents, redaction, audit, log }: TurnParts,
  happenings: Happenings,
  filesOwner: Owner | undefined,
): Turns {
  const toldKinds = toldKindsOf(config);
  return new Turns({
    store,
    agents,
    log,
    happenings,
    filesOwner,
    audit,
    limits: {
      timeoutMs: config.turnTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      maxEventBytes: config.maxEventBytes,
      maxTurnBytes: config.maxTurnBytes,
      approvalMs: config.approvalMs,
      silenceMs: SILENCE_MS,
      maxCostUsd: config.maxTurnCostUsd,
      maxModelTurns: config.maxTurnModelTurns,
    },
    dayLimits: {
      costUsd: config.maxPrincipalCostUsdPerDay,
      modelTurns: config.maxPrincipalModelTurnsPerDay,
    },
    maxConcurrentTurns: config.maxConcurrentTurns,
    maxPrincipalTurns: config.maxPrincipalTurns,
    maxSessionTurns: config.maxSessionTurns,
    quotas: {
      sessions: config.maxPrincipalSessions,
      attachmentBytes: config.maxPrincipalAttachmentBytes,
    },
    maxPrincipalWorkspaceBytes: config.maxPrincipalWorkspaceBytes,
    maxWorkspaceBytes: config.maxWorkspaceBytes,
    retentionMs: config.retentionMs,
    maxSubscriptions: config.maxSubscriptions,
    maxTurnSubscriptions: config.maxTurnSubscriptions,
    maxPrincipalSubscriptions: config.maxPrincipalSubscriptions,
    sessionsDir: config.sessionsDir,
    permissionMode: config.permissionMode,
    approvers: config.approvers,
    selfApproval: config.selfApproval,
    ...(toldKinds === undefined ? {} : { toldKinds }),
    ...(config.redact === "1" ? { redaction } : {}),
  });
}

function readinessOf(
  { dataDir, sessionsDir }: ServeConfig,
  { serving }: Turns,
  agents: Agents,
  kept: DiskReserve,
  audit: ServerAudit,
) {
  const directories = dataDir === sessionsDir ? [dataDir] : [dataDir, sessionsDir];
  const heads = () => audit.deliveries();
  return new Readiness({ serving, agents, directories, kept, heads });
}

/** What the server tells of itself. */
function factsOf(
  config: ServeConfig,
  parts: Pick<ServerFacts, "agents" | "readiness"> & {
    readonly identity: Identity;
    readonly turns: Turns;
    readonly processes: ProcessSurroundings;
  },
): ServerFacts {
  const { identity, turns, processes, ...facts } = parts;
  const asks = config.permissionMode === "ask";
  return {
    ...facts,
    limits: config,
    defaultPermissionMode: asks ? PermissionMode.ASK : PermissionMode.BYPASS,
    heldBy: processes.families.heldBy,
    signIn: () => identity.means,
    isDraining: () => turns.serving.isDraining,
    rolesOf: (caller) => turns.permissions.rolesOf(caller),
  };
}

/** What the agents' processes share, which are recorded under the server's lease. */
function processesOf(
  store: Store,
  { maxLineBytes }: ServeConfig,
  log: Log,
  umask: number | undefined,
  of: { readonly user: AgentUser | undefined; readonly containment: Containment },
): ProcessSurroundings {
  const registry = {
    recordProcess: (process: Parameters<Store["recordProcess"]>[0]) =>
      store.recordProcess(process, store.lease.epoch),
    recordProcessGone: (processId: string) => store.recordProcessGone(processId),
  };
  return createProcesses({ registry, log, maxLineBytes, umask, ...of });
}

/** Who calls is looked for among the agents' processes. */
function peersOf({ families, user }: ProcessSurroundings): Peers {
  return new Peers({ look: (end) => families.peers.look(end), agentUid: user?.uid });
}

/** What stands behind a listener. */
interface ServedParts {
  readonly turns: Turns;
  readonly audit: ServerAudit;
  readonly facts: ServerFacts;
  readonly readers: Readers;
  readonly telemetry: Telemetry;
}

async function listenFor(
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
  try {
    return await listen(boundAddressOf(config), encryptionOf(files), limits, log, (port) => {
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
      const answers = { handlers: createHandlers(common), plain: plainHttp(common) };
      return interposed.listener(requestListener({ ...common, ...answers, origins }));
    });
  } catch (error) {
    const shown = addressText(config.listen);
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    const why = code === "EADDRINUSE" ? `${code}: another program listens there already` : code;
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, which cannot be listened on: ${why}`,
    );
  }
}

function encryptionOf({ certificate, clientCa }: ReadFiles): ListenerTls | undefined {
  if (certificate === undefined) return undefined;
  const isClientCertificateOptional = true;
  return { ...certificate.current, clientCa: clientCa?.current, isClientCertificateOptional };
}

/** What ends with the server. */
interface Around {
  readonly store: Store;
  readonly notifier: Notifier | undefined;
  readonly telemetry: Telemetry;
  readonly audit: ServerAudit;
  readonly families: ProcessSurroundings["families"];
}

function running(
  { drainMs, dataDir }: ServeConfig,
  url: string,
  turns: Turns,
  listener: Listener,
  closing: AbortController,
  { store, notifier, telemetry, audit, families }: Around,
  reload: () => void,
): Server {
  const closed = Promise.withResolvers<void>();
  let draining: Promise<void> | undefined;
  const drain = async (graceMs: number) => {
    audit.note({ kind: "server_draining" });
    await turns.drain(graceMs);
    const ending = setTimeout(() => closing.abort(), STREAMS_END_MS);
    const cutting = setTimeout(() => listener.destroy(), STREAMS_END_MS + CONNECTIONS_END_MS);
    forgetLocalAddress(dataDir);
    await Promise.all([listener.close(), notifier?.drain(NOTIFICATIONS_END_MS)]);
    clearTimeout(ending);
    clearTimeout(cutting);
    await audit.end();
    await store.close();
    await telemetry.close();
    closed.resolve();
  };
  return {
    url,
    reload,
    closed: closed.promise,
    stopNow: () => {
      turns.killNow();
      families.killStrays();
    },
    drain: (graceMs = drainMs) => {
      draining ??= drain(graceMs);
      return draining;
    },
  };
}
