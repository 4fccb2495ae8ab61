import { Agents } from "../agent/agents.ts";
import { tellContainment } from "../agent/process/containment.ts";
import { endLeftProcesses } from "../agent/process/processes.ts";
import { Cluster } from "../cluster/cluster.ts";
import { clusterSettingsOf } from "../cluster/cluster-settings.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { capConnections } from "../descriptors.ts";
import { DiskReserve } from "../disk-reserve.ts";
import { Readers } from "../edge/readers.ts";
import { tellLocalAddress } from "../identity/local-token.ts";
import { urlOf } from "../listen-address.ts";
import type { Log } from "../log.ts";
import { EVERYONE } from "../rpc/peers.ts";
import { watchedStore } from "../store/watched-store.ts";
import type { Turns } from "../turns/turns.ts";
import { localTokenOf, readFiles, refuseUnusableAccess, tellStrangers } from "./access.ts";
import { heedAgentAttempts } from "./agent-attempts.ts";
import { agentUserOf, letPass } from "./agent-user-access.ts";
import { ServerAudit } from "./audit.ts";
import { factsOf } from "./facts.ts";
import { homesOf } from "./homes.ts";
import { type Identity, openIdentity } from "./identity.ts";
import { encryptionOf, type Interposed, listenFor } from "./listening.ts";
import { createMoves } from "./moves.ts";
import { createNotifier, wakingStore } from "./notifier.ts";
import { peersOf, processesOf } from "./processes.ts";
import { readinessOf } from "./readiness.ts";
import { createServerRedaction } from "./redaction.ts";
import { running, type Server } from "./running-server.ts";
import { planAgents } from "./served-agents.ts";
import { openStore } from "./store.ts";
import { serverLoad, startTelemetry } from "./telemetry.ts";
import { createTurns } from "./turns.ts";

const NOTHING_INTERPOSED: Interposed = {
  listener: (answer) => answer,
  admissions: (admissionOf) => admissionOf,
  trustsEveryone: false,
};

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
  const clusterSettings = clusterSettingsOf(config, interposed.homes !== undefined);
  const cluster = clusterSettings && new Cluster(clusterSettings, log);
  const redaction = createServerRedaction(config);
  const user = agentUserOf(config);
  const containment = tellContainment(user, log);
  const createAgents = plan(config, log);
  const maxConnections = capConnections(config, log);
  const opened = await openStore(config, log, clusterSettings?.address);
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
    const moves = createMoves(config, { store, agents, log, filesOwner: user });
    turns = createTurns(
      config,
      { store, agents, redaction, audit: audit.turns, moves, log },
      telemetry.happenings,
      user,
    );
    await turns.recover();
    void moves?.recover();
    await processes.families.endStrays();
    const closing = new AbortController();
    const readiness = readinessOf(config, turns, agents, reserve, audit);
    const { trustsEveryone } = interposed;
    const local = trustsEveryone ? undefined : localTokenOf(config, log);
    identity = openIdentity(config, files, local, log);
    const facts = factsOf(config, { identity, turns, agents, readiness, processes });
    const readers = new Readers(config, closing.signal, log);
    const homes = interposed.homes ?? homesOf(store, turns);
    const listener = await listenFor(
      { ...config, maxConnections },
      files,
      { ...identity, peers: trustsEveryone ? EVERYONE : peersOf(processes) },
      { turns, audit, facts, readers, telemetry, cluster, homes },
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
      readers.recheck().catch((error: unknown) => log.error("a defect", { error }));
    };
    tellStrangers(config, signIn, log);
    identity.watch(heed);
    const reload = () => {
      for (const file of Object.values(files)) file?.readAgain(log);
      heed();
      served.readAgain(log);
      notifier?.reload();
      cluster?.readAgain();
    };
    const url = urlOf(config, listener.port);
    if (local !== undefined) tellLocalAddress(config.dataDir, url);
    const around = { store, notifier, telemetry, audit, cluster, families: processes.families };
    const server = running(config, url, turns, listener, closing, around, reload);
    void server.closed.then(identity.stop).then(() => processes.families.end());
    return server;
  } catch (error) {
    identity?.stop();
    cluster?.destroy();
    // It may be removing what is off the record, and have agents that wait for sessions.
    await turns?.drain(0);
    await audit?.end();
    await store.close();
    await telemetry.close();
    throw error;
  }
}
