/** To be imported into a server before its program, with `--expose-gc`: tells at SIGUSR2 what is left once garbage is gone. */
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { tellAtSignal } from "../support/told-by-signal.ts";

if (isMainThread) {
  tellAtSignal(join(process.env.HOME ?? "", "memory"), () => {
    globalThis.gc?.();
    return process.memoryUsage();
  });
}
