// The thread of a fake's server. Where the fake kills its server it ends this thread: nothing gets a chance to say goodbye.
import { parentPort, workerData } from "node:worker_threads";
import { ConfigError } from "../config/config-error.ts";
import { createLog } from "../log.ts";
import { startServer } from "../server/server.ts";
import { planFakeAgents } from "./fake-agents.ts";
import { FaultInjection } from "./fault-injection.ts";
import type { ServerAsk, ServerNews, ServerOrder, ServerThreadData } from "./server-messages.ts";

const port = parentPort!;
const { config, faults } = workerData as ServerThreadData;
const tell = (news: ServerNews) => port.postMessage(news);
const log = createLog((line) => tell({ told: "log", line }));
const injection = new FaultInjection(log, {
  streamBegan: () => tell({ told: "stream" }),
  happened: ({ id }) => tell({ told: "happened", id }),
});
injection.plan(faults);

try {
  const server = await startServer(config, log, undefined, planFakeAgents, injection);
  const carryOut = async (order: ServerOrder): Promise<number> => {
    switch (order.do) {
      case "plan":
        injection.plan(order.faults);
        return order.faults.length;
      case "clear":
        injection.clear();
        return 0;
      case "now":
        return injection.now(order.kind);
      case "drain":
        injection.release();
        await server.drain(order.graceMs);
        return 0;
      case "stopNow":
        server.stopNow();
        return 0;
      case "reload":
        server.reload();
        return 0;
    }
  };
  port.on("message", async ({ id, order }: ServerAsk) => {
    tell({ told: "done", id, count: await carryOut(order) });
  });
  tell({ told: "ready", url: server.url });
} catch (error) {
  const problems = error instanceof ConfigError ? error.problems : [String((error as Error).stack)];
  tell({ told: "failed", problems });
}
