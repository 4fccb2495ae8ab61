import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("raw-peers.pl", import.meta.url));
const LONGEST_MS = 600_000;

/** Connections in a process of their own, which say what they are told to and nothing else. They have ended when their scope has. */
export interface RawPeers extends AsyncDisposable {
  readonly pid: number;
  /** Answer nothing any more, not even with an acknowledgement, as a machine does whose network is gone. */
  mute(): Promise<void>;
}

/** How connections are made. */
export interface RawPeersOptions {
  readonly count: number;
  /** They read no more than the beginning of the answer, and hold as little in the kernel as those over a network do. */
  readonly stalled?: boolean;
}

/** Opens connections, sends the request over each, and waits until every one was answered. */
export async function openRawPeers(
  url: string,
  request: Buffer,
  { count, stalled = false }: RawPeersOptions,
): Promise<RawPeers> {
  const sizes = stalled ? ["8192", "1460", "1"] : ["0", "0", "0"];
  const child = spawn(PROGRAM, [new URL(url).port, String(count), ...sizes], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: LONGEST_MS,
    killSignal: "SIGKILL",
  });
  const exited = once(child, "exit");
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = async (line: string, answer: string) => {
    child.stdin.write(`${line}\n`);
    const { value } = await lines.next();
    if (value !== answer) throw new Error(`the peers answered ${value} in place of ${answer}`);
  };
  await say(request.toString("hex"), "begun");
  return {
    pid: child.pid!,
    mute: () => say("mute", "mute"),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
