import type { DescMethod } from "@bufbuild/protobuf";
import type { ReceivedCall, Routing } from "../rpc/routing.ts";
import { ForwardedCall } from "./forwarded-call.ts";
import { forwardedHeaders } from "./forwarded-request.ts";
import { elsewhere, type Home, type Homes, hasHome } from "./homes.ts";
import type { PeerConnections } from "./peer-connections.ts";

/**
 * Hands calls on to where they belong.
 *
 * What cannot be handed on is answered here, which knows best: a stream is read from the record, and what takes the home is
 * refused to those who may see what they ask about.
 */
export class ClusterRouting implements Routing {
  readonly #homes: Homes;
  readonly #connections: Pick<PeerConnections, "request">;

  constructor(homes: Homes, connections: Pick<PeerConnections, "request">) {
    this.#homes = homes;
    this.#connections = connections;
  }

  concerns(method: DescMethod): boolean {
    return hasHome(method);
  }

  async answer(call: ReceivedCall): Promise<boolean> {
    const home = await this.#elsewhere(call);
    if (home === undefined || !home.isPresent || home.address === "") return false;
    if (call.reader.signal.aborted) return true;
    const stream = await this.#connections
      .request(home.address, forwardedHeaders(call))
      .catch(() => undefined);
    if (stream === undefined) return false;
    return (await new ForwardedCall(call, home, stream).run()) === "answered";
  }

  /** A record that cannot be read is refused where it is read next. */
  async #elsewhere({ method, read, caller }: ReceivedCall): Promise<Home | undefined> {
    if (read === undefined) return undefined;
    return elsewhere(this.#homes, method, read.message, caller).catch(() => undefined);
  }
}
