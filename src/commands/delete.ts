import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { resolveSession } from "./resolve-id.ts";
import { sessionText } from "./session-names.ts";
import { oneLine, print } from "./terminal-text.ts";

const NAME_CHARACTERS = 300;

/** Deletes a session with its turns, its workspace and what the agent kept of it. */
export async function deleteSession(session: string, options: ServerOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    const name = await resolveSession(client, session);
    const { removalPending } = await client.deleteSession(name);
    await terminal.write(print`deleted ${oneLine(sessionText(name), NAME_CHARACTERS)}\n`);
    if (removalPending) {
      terminal.tell(
        print`Some of its files are still there: they are being removed, or something is in the way, which the server's log names.`,
      );
    }
    return ExitStatus.ok;
  });
}
