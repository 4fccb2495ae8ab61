import { ConfigError } from "../config/config-error.ts";
import type { TcpAddress } from "../config/kinds.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { bracketed, isAnyAddress, isLoopback } from "../rpc/hosts.ts";

/** How the server knows other replicas, and they it. */
export type ClusterProof =
  | {
      readonly kind: "certificates";
      readonly files: { readonly cert: string; readonly key: string };
      readonly ca: string;
      /** Names as `nameKey` writes them. None: those in the server's own certificate. */
      readonly peers: readonly string[];
    }
  | { readonly kind: "secret"; readonly file: string };

/** What is set about other replicas. */
export interface ClusterSettings {
  readonly listen: TcpAddress;
  /** What the others reach it by, `HOST:PORT`. */
  readonly address: string;
  readonly proof: ClusterProof;
}

/**
 * What is set about other replicas; undefined: there are none.
 *
 * @param knowsOthers - Something else than the store tells of them.
 * @throws ConfigError, a line for each setting that lacks another, or that would let somebody in who is no replica.
 */
export function clusterSettingsOf(
  config: ServeConfig,
  knowsOthers = false,
): ClusterSettings | undefined {
  const { clusterListen: listen, clusterAddress } = config;
  const problems = [...problemsOf(config), aloneOf(config, knowsOthers)];
  ConfigError.throwIfAny(problems.flatMap(([isBroken, problem]) => (isBroken ? problem : [])));
  const proof = proofOf(config);
  if (listen === undefined || proof === undefined) return undefined;
  return { listen, address: textOf(clusterAddress ?? listen), proof };
}

function proofOf(config: ServeConfig): ClusterProof | undefined {
  const {
    clusterCertFile: cert,
    clusterKeyFile: key,
    clusterCaFile: ca,
    clusterSecretFile: file,
  } = config;
  if (file !== undefined) return { kind: "secret", file };
  if (cert === undefined || key === undefined || ca === undefined) return undefined;
  return { kind: "certificates", files: { cert, key }, ca, peers: config.clusterPeers ?? [] };
}

function aloneOf({ clusterListen, store }: ServeConfig, knowsOthers: boolean): Problem {
  return [
    clusterListen !== undefined && store === undefined && !knowsOthers,
    "BREAKGLASS_CLUSTER_LISTEN is set, but a store in an SQLite file has one server alone: set BREAKGLASS_STORE",
  ];
}

type Problem = readonly [isBroken: boolean, problem: string];

function problemsOf(config: ServeConfig): readonly Problem[] {
  const { clusterListen: listen, clusterAddress: address, clusterSecretFile: secret } = config;
  const pem = {
    BREAKGLASS_CLUSTER_CERT_FILE: config.clusterCertFile,
    BREAKGLASS_CLUSTER_KEY_FILE: config.clusterKeyFile,
    BREAKGLASS_CLUSTER_CA_FILE: config.clusterCaFile,
  };
  const others = {
    BREAKGLASS_CLUSTER_ADDRESS: address,
    ...pem,
    BREAKGLASS_CLUSTER_PEERS: config.clusterPeers,
    BREAKGLASS_CLUSTER_SECRET_FILE: secret,
  };
  if (listen === undefined) {
    return namesOf(others, true).map((name) => [
      true,
      `${name} is set, but the server listens for no other replicas: set BREAKGLASS_CLUSTER_LISTEN`,
    ]);
  }
  const [given, missing] = [namesOf(pem, true), namesOf(pem, false)];
  const shown = `BREAKGLASS_CLUSTER_LISTEN is ${JSON.stringify(textOf(listen))}`;
  const isNear = [listen, address ?? listen].every(({ host }) => isLoopback(host));
  return [
    [
      given.length === 0 && secret === undefined,
      `${shown}, but nothing tells who is a replica: set BREAKGLASS_CLUSTER_CERT_FILE, BREAKGLASS_CLUSTER_KEY_FILE and BREAKGLASS_CLUSTER_CA_FILE or, for replicas on one machine, BREAKGLASS_CLUSTER_SECRET_FILE`,
    ],
    [
      given.length > 0 && missing.length > 0,
      `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not set, but certificates of replicas take BREAKGLASS_CLUSTER_CERT_FILE, BREAKGLASS_CLUSTER_KEY_FILE and BREAKGLASS_CLUSTER_CA_FILE`,
    ],
    [
      given.length > 0 && secret !== undefined,
      `BREAKGLASS_CLUSTER_SECRET_FILE is set beside ${given[0]}: set certificates or a secret`,
    ],
    [
      config.clusterPeers !== undefined && given.length === 0,
      "BREAKGLASS_CLUSTER_PEERS is set, but replicas show no certificates: set BREAKGLASS_CLUSTER_CERT_FILE, BREAKGLASS_CLUSTER_KEY_FILE and BREAKGLASS_CLUSTER_CA_FILE",
    ],
    [
      secret !== undefined && !isNear,
      `BREAKGLASS_CLUSTER_SECRET_FILE is for replicas on one machine, but ${shown}${address === undefined ? "" : ` and BREAKGLASS_CLUSTER_ADDRESS ${JSON.stringify(textOf(address))}`}: use 127.0.0.1, or set certificates`,
    ],
    [
      isAnyAddress(listen.host) && address === undefined,
      `${shown}, which says nothing of what others reach it by: set BREAKGLASS_CLUSTER_ADDRESS`,
    ],
    [
      address !== undefined && isAnyAddress(address.host),
      `BREAKGLASS_CLUSTER_ADDRESS is ${JSON.stringify(address && textOf(address))}, which nobody can reach: set an address or a name of this machine`,
    ],
  ];
}

/** The variables that are set, or that are not. */
function namesOf(values: Readonly<Record<string, unknown>>, isSet: boolean): string[] {
  const found = Object.entries(values).filter(([, value]) => (value !== undefined) === isSet);
  return found.map(([name]) => name);
}

function textOf({ host, port }: TcpAddress): string {
  return `${bracketed(host)}:${port}`;
}
