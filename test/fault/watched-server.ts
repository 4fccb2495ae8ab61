import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LoopDelay } from "../bench/loop-delay.ts";
import { startWitness, type Witness } from "../security/witness.ts";
import { eventually } from "../support/processes.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";

const LOOP_DELAY = fileURLToPath(new URL("../bench/loop-delay.ts", import.meta.url));

/** A server under attack, and somebody else who asks it all the while. */
export interface WatchedServer extends AsyncDisposable {
  readonly server: FaultServer;
  readonly witness: Witness;
  /** How long its event loop was held at most since the last time this was asked, in milliseconds. */
  loopHeldMs(): Promise<number>;
}

/** Starts one on ground of its own. The other client has been answered by then. */
export async function startWatchedServer(): Promise<WatchedServer> {
  await using cleanup = new AsyncDisposableStack();
  const ground = cleanup.use(await createGround({ NODE_OPTIONS: `--import=${LOOP_DELAY}` }));
  const server = cleanup.use(await startFaultServer(ground));
  const witness = cleanup.use(startWitness(server.url));
  await eventually(
    () => witness.answers,
    (answers) => answers > 5,
  );
  const file = join(ground.root, "loop-delay");
  const owned = cleanup.move();
  const loopHeldMs = async () => {
    const before = readOr(file);
    process.kill(server.pid, "SIGUSR2");
    const text = await eventually(
      () => readOr(file),
      (found) => found !== before,
    );
    return (JSON.parse(text) as LoopDelay).max;
  };
  await loopHeldMs();
  return { server, witness, loopHeldMs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function readOr(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
