import { fenced } from "../../errors.ts";
import type { Command, CommandServer, Commands } from "../commands.ts";

/** The way to the turns of a file: whoever runs one does so in this process. */
export class LocalCommands implements Commands {
  readonly #servers = new Set<CommandServer>();

  async send(command: Command): Promise<number | undefined> {
    for (const server of this.#servers) {
      if (server.runs(command.turnId)) return server.perform(command);
    }
    throw fenced();
  }

  serve(server: CommandServer): () => void {
    this.#servers.add(server);
    return () => void this.#servers.delete(server);
  }
}
