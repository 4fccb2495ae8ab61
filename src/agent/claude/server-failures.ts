import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { label, noticeEvent } from "../events.ts";
import { mcpServer } from "./messages.ts";

/** What is told of a server that is not there, by its state, as a sentence goes on. */
const TOLD: ReadonlyMap<string, string> = new Map([
  ["failed", "did not come up"],
  ["needs-auth", "needs a login, which only the CLI at a screen can do (/mcp)"],
]);
/** So many are told by name. */
const MAX_NAMED = 20;

/** Which MCP servers of one process were told not to be there: each `init` lists them anew. */
export class ServerFailures {
  #told = "";

  /** Appends a warning that names those that are not there, unless that was told. */
  note(servers: readonly unknown[], into: EventKind[]): void {
    const broken = servers.flatMap((server) => {
      const { data } = mcpServer.safeParse(server);
      const state = TOLD.get(data?.status ?? "");
      return data === undefined || state === undefined ? [] : `${label(data.name)} ${state}`;
    });
    const more = broken.length > MAX_NAMED ? `; and ${broken.length - MAX_NAMED} more` : "";
    const names = broken.slice(0, MAX_NAMED).join("; ") + more;
    if (names !== "" && names !== this.#told) {
      const text = `MCP servers whose tools the agent does not have: ${names}`;
      into.push(noticeEvent(NoticeReason.AGENT_WARNING, text));
    }
    this.#told = names;
  }
}
