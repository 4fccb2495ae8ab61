import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository, startProgram } from "./program.ts";

/** The service in a process of its own, as `npm start` runs it, on data of its own. */
export interface Service extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  /** The environment that it runs in. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends it at once; its agents see their stdin end. */
  kill(): void;
}

/**
 * Starts the service; what it needs of the environment is all that it gets.
 *
 * @param options - Further options of Node.
 */
export async function startService(
  settings: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<Service> {
  await using cleanup = new AsyncDisposableStack();
  const start = await startCommand();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const environment = {
    PATH: process.env.PATH ?? "",
    HOME: root,
    CLAUDE_CONFIG_DIR: join(root, ".claude"),
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: join(root, "state"),
    ...start.environment,
    ...settings,
  };
  const server = cleanup.use(await startProgram([...options, ...start.arguments], environment));
  const url = /^breakglass serves (\S+)$/.exec(server.firstLine)?.[1];
  if (url === undefined) throw new Error(`the server says ${server.firstLine}`);
  const owned = cleanup.move();
  const { pid, kill } = server;
  return { pid, url, environment, kill, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What `npm start` gives to `node`, by the wrapper that it runs. */
export async function startCommand(): Promise<StartCommand> {
  const wrapper = await readFile(join(repository, "breakglass"), "utf8");
  const command = /^exec env ((?:\w+=\S+ )+)"\$node" (.+) "\$here\/(.+)" "\$@"$/m.exec(wrapper);
  if (command === null) throw new Error("./breakglass runs node no longer");
  const [, variables = "", options = "", program = ""] = command;
  const environment = variables
    .trim()
    .split(" ")
    .map((variable) => variable.split("="));
  return {
    environment: Object.fromEntries(environment),
    arguments: [...options.split(" "), program, "serve"],
  };
}

/** How the service is started. */
export interface StartCommand {
  readonly environment: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
}
