import { ConfigError } from "../config/config-error.ts";
import type { HttpRequest, RequestListener } from "../edge/http.ts";
import { Refusal } from "../errors.ts";
import { FileWatch } from "../file-watch.ts";
import type { PeerProcess } from "../identity/peer-process.ts";
import type { Log } from "../log.ts";
import { type Admission, type Admissions, agentRefusal } from "../rpc/admission.ts";
import type { Peers } from "../rpc/peers.ts";
import type { Routing } from "../rpc/routing.ts";
import { SettingSource } from "../setting-source.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { credentialFiles, readCredentials } from "./credentials.ts";
import { CALLER_HEADER, readCaller } from "./forwarded-caller.ts";
import type { Homes } from "./homes.ts";
import { PeerConnections } from "./peer-connections.ts";
import { listenForPeers, type PeerListener } from "./peer-listener.ts";
import { ClusterRouting } from "./routing.ts";

/**
 * This server among the other replicas: it hands on to them what belongs there, and answers what they hand on.
 *
 * What they hand on goes no further: it is answered without routing, so that it crosses one connection at most.
 */
export class Cluster {
  readonly #settings: ClusterSettings;
  readonly #credentials: SettingSource<ReturnType<typeof readCredentials>>;
  readonly #connections: PeerConnections;
  readonly #log: Log;
  #listener: PeerListener | undefined;
  #watch: FileWatch | undefined;

  /** @throws ConfigError where the files of its credentials cannot be used. */
  constructor(settings: ClusterSettings, log: Log) {
    const { proof } = settings;
    const variable =
      proof.kind === "secret" ? "BREAKGLASS_CLUSTER_SECRET_FILE" : "BREAKGLASS_CLUSTER_CERT_FILE";
    this.#settings = settings;
    this.#credentials = new SettingSource(variable, () => readCredentials(proof));
    this.#connections = new PeerConnections(() => this.#credentials.current, log);
    this.#log = log;
  }

  /** Has calls answered where they belong. */
  routing(homes: Homes): Routing {
    return new ClusterRouting(homes, this.#connections);
  }

  /**
   * Listens for the others.
   *
   * @param answer - Answers what they hand on; `admissionOf` decides on it.
   * @throws ConfigError where the address cannot be listened on.
   */
  async listen(answer: RequestListener): Promise<void> {
    const { listen, proof, address } = this.#settings;
    const credentials = () => this.#credentials.current;
    try {
      this.#listener = await listenForPeers(listen, credentials, answer, this.#log);
    } catch (error) {
      const shown = JSON.stringify(`${listen.host}:${listen.port}`);
      const { code, message } = error as NodeJS.ErrnoException;
      throw new ConfigError(
        `BREAKGLASS_CLUSTER_LISTEN is ${shown}, which cannot be listened on: ${code ?? message}`,
      );
    }
    this.#watch = new FileWatch(
      () => credentialFiles(proof),
      () => this.readAgain(),
    );
    this.#log.info("other replicas reach this server", { address });
  }

  /** Reads its credentials again. Connections that are there stay. */
  readAgain(): void {
    this.#credentials.readAgain(this.#log);
    this.#listener?.renew();
  }

  /** Takes nothing more from the others; resolves when what they handed on has been answered. */
  async close(): Promise<void> {
    this.#watch?.stop();
    await this.#listener?.close();
  }

  /** Ends every connection with the others. */
  destroy(): void {
    this.#watch?.stop();
    this.#connections.close();
    this.#listener?.destroy();
  }
}

const NO_CALLER = "a replica handed on a call without saying whose it is";

/**
 * Decides on what other replicas hand on: whoever makes it was let in there, and is whom they say. An agent that has come by what
 * they know each other by is none of them.
 */
export function admissionsOfForwarded(peers: Pick<Peers, "of" | "establish">): Admissions {
  const decide = (request: HttpRequest, process: PeerProcess): Admission => {
    const refusal = agentRefusal(process);
    if (refusal !== undefined) return { refusal };
    const caller = readCaller(request.headers[CALLER_HEADER]);
    if (caller !== undefined) return { caller };
    return { refusal: new Refusal("UNAUTHENTICATED", NO_CALLER) };
  };
  return (request) => {
    const process = peers.of(request);
    if (process !== undefined) return decide(request, process);
    return peers.establish(request).then((found) => decide(request, found));
  };
}
