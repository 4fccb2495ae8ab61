import { certificateNames, hostAndPort, path } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** How replicas of the service that share a database reach each other. */
export const CLUSTER_SETTINGS = {
  clusterListen: {
    variable: "BREAKGLASS_CLUSTER_LISTEN",
    kind: hostAndPort,
    unset: "none: the server has no others",
    does: "The address and the port where other replicas on the same database hand on what belongs here. It takes certificates, or a secret on loopback, and is no port for clients.",
  },
  clusterAddress: {
    variable: "BREAKGLASS_CLUSTER_ADDRESS",
    kind: hostAndPort,
    unset: "what `BREAKGLASS_CLUSTER_LISTEN` says",
    does: "What the other replicas reach that by.",
  },
  clusterCertFile: {
    variable: "BREAKGLASS_CLUSTER_CERT_FILE",
    kind: path("the path of a PEM file"),
    unset: "none",
    does: "The certificate that the server shows other replicas, as their server and as their client, with its chain. It takes `BREAKGLASS_CLUSTER_KEY_FILE` and `BREAKGLASS_CLUSTER_CA_FILE` too. All three are read again when they change.",
  },
  clusterKeyFile: {
    variable: "BREAKGLASS_CLUSTER_KEY_FILE",
    kind: path("the path of a PEM file"),
    unset: "none",
    does: "That certificate's private key. Others than the server's user and group must not be able to read the file.",
  },
  clusterCaFile: {
    variable: "BREAKGLASS_CLUSTER_CA_FILE",
    kind: path("the path of a PEM file"),
    unset: "none",
    does: "Those who sign the certificates of replicas.",
  },
  clusterPeers: {
    variable: "BREAKGLASS_CLUSTER_PEERS",
    kind: certificateNames,
    unset: "the names in the server's own certificate",
    does: "The names of which a replica's certificate must have one, whoever signed it.",
  },
  clusterSecretFile: {
    variable: "BREAKGLASS_CLUSTER_SECRET_FILE",
    kind: path("the path of a file"),
    unset: "none",
    does: "In place of certificates, for replicas on one machine: what they all know, one line of 32 characters or more. It never crosses the connection. Others than the server's user and group must not be able to read the file. It is read again when it changes.",
  },
} as const satisfies Settings;
