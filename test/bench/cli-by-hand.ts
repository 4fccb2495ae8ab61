import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { agentsArgument } from "../../src/agent/claude/agent-definition.ts";
import { claudeArguments, type Opening } from "../../src/agent/claude/command-line.ts";
import { configDirectory } from "../../src/agent/claude/config-directory.ts";
import { agentEnvironment } from "../../src/agent/claude/environment.ts";
import { resolveCommand } from "../../src/agent/claude/executable.ts";
import { userMessage } from "../../src/agent/claude/input-lines.ts";
import { type Message, parseMessage } from "../../src/agent/claude/line.ts";
import { NO_RULES } from "../../src/agent/claude/permission-rules.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";

type Environment = Readonly<Record<string, string>>;

/** A conversation with the CLI that is held without the service. */
export interface HandConversation {
  readonly workspace: string;
  readonly agentSessionId: string;
}

/** A place for one, which nothing else has used. */
export async function newConversation(environment: Environment): Promise<HandConversation> {
  const agentSessionId = randomUUID();
  const workspace = join(environment.HOME ?? "", "by-hand", agentSessionId);
  await mkdir(workspace, { recursive: true });
  return { workspace, agentSessionId };
}

/** The CLI as the service starts it, with the same arguments, environment and stdin, but written to and read by hand. */
export class CliByHand implements AsyncDisposable {
  readonly #cli: ChildProcessWithoutNullStreams;
  #take: (message: Message) => void = () => {};

  static async start(
    { workspace, agentSessionId }: HandConversation,
    opening: Opening,
    environment: Environment,
  ): Promise<CliByHand> {
    const agent = "breakglass";
    const place = { workspace, agentSessionId, model: "sonnet", agent };
    const { agents } = await agentsArgument(agent, workspace, configDirectory(environment), false);
    const limits = { trustsWorkspace: false, rules: NO_RULES };
    const args = claudeArguments(place, opening, PermissionMode.BYPASS, limits, agents);
    const env = agentEnvironment(environment, []);
    const command = resolveCommand(undefined, environment);
    return new CliByHand(spawn(command, args, { cwd: workspace, env, detached: true }));
  }

  private constructor(cli: ChildProcessWithoutNullStreams) {
    this.#cli = cli;
    const lines = new ByteLines(10_000_000, {
      line: (bytes) => {
        const message = parseMessage(Buffer.from(bytes).toString());
        if (message !== undefined) this.#take(message);
      },
      skipped() {},
    });
    cli.stderr.resume();
    cli.stdout.on("data", (chunk: Buffer) => lines.push(chunk));
  }

  /** Hands it a prompt; resolves behind its result with how long the first text took, in milliseconds. */
  ask(prompt: string): Promise<number> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      let first: number | undefined;
      const exited = () => reject(new Error("the CLI has exited"));
      this.#cli.once("exit", exited);
      this.#take = ({ type }) => {
        if (type === "assistant") first ??= performance.now() - start;
        if (type !== "result") return;
        this.#cli.off("exit", exited);
        if (first === undefined) reject(new Error("no text came"));
        else resolve(first);
      };
      this.#cli.stdin.write(userMessage(randomUUID(), prompt));
    });
  }

  /** Ends its stdin and waits until it is gone: the next one has the machine to itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#cli, "close");
    this.#cli.stdin.end();
    await closed;
  }
}
