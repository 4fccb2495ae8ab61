import type { ServeConfig } from "../config/serve-config.ts";
import type { ConnectionFault, Fault } from "./faults.ts";

/** What the thread of a server is started with. */
export interface ServerThreadData {
  readonly config: ServeConfig;
  readonly faults: readonly Fault[];
}

/** What the thread is asked. */
export type ServerOrder =
  | { readonly do: "plan"; readonly faults: readonly Fault[] }
  | { readonly do: "clear" }
  | { readonly do: "now"; readonly kind: ConnectionFault["kind"] }
  | { readonly do: "drain"; readonly graceMs?: number | undefined }
  | { readonly do: "stopNow" }
  | { readonly do: "reload" };

/** An order, which is answered under its id. */
export interface ServerAsk {
  readonly id: number;
  readonly order: ServerOrder;
}

/** What the thread tells. */
export type ServerNews =
  | { readonly told: "ready"; readonly url: string }
  | { readonly told: "failed"; readonly problems: readonly string[] }
  | { readonly told: "log"; readonly line: string }
  | { readonly told: "stream" }
  | { readonly told: "done"; readonly id: number; readonly count: number };
