import { fenced, sessionElsewhere } from "../errors.ts";
import type { Command, CommandServer, Commands, SessionHome } from "./commands.ts";

/** The way to the turns and sessions of a file: whoever has them has them in this process. */
export class LocalCommands implements Commands {
  readonly #servers = new Set<CommandServer>();
  readonly #homes = new Map<string, SessionHome>();

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

  homeOf(name: string): SessionHome {
    const ask = () => {
      const home = this.#homes.get(name);
      if (home === undefined) throw sessionElsewhere(name);
      return home;
    };
    return {
      run: async (...args) => ask().run(...args),
      deleteSession: async (...args) => ask().deleteSession(...args),
    };
  }

  serveHome(name: string, home: SessionHome): () => void {
    this.#homes.set(name, home);
    return () => {
      if (this.#homes.get(name) === home) this.#homes.delete(name);
    };
  }
}
