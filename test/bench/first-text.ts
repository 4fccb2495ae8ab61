import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { say } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { CliByHand, newConversation } from "./cli-by-hand.ts";
import { type Figure, median } from "./figure.ts";
import { type Service, startService } from "./service.ts";

const PAIRS = 15;
const PROMPT = "Say hello.";

/**
 * How long it takes from RunTurn to the first text of the real CLI, against the CLI alone, spawned with the same arguments,
 * environment and stdin. The model is scripted.
 */
export async function measureFirstText(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const model = await startScriptedModel([{ when: PROMPT, steps: [say("Hello.")] }]);
  cleanup.defer(() => model.stop());
  const service = cleanup.use(
    await startService({
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: "made-up",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      IS_SANDBOX: "1",
    }),
  );
  const connection = openGrpcConnection(service.url, undefined);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);

  const throughService = async () => {
    const start = performance.now();
    let first: number | undefined;
    let sessionId = "";
    for await (const { event } of client.runTurn({ prompt: PROMPT })) {
      if (event?.kind.case === "text") first ??= performance.now() - start;
      sessionId = event?.sessionId ?? "";
    }
    // Done only once the CLI is gone, so that the next one has the machine to itself.
    await client.deleteSession({ sessionId });
    return milliseconds(first);
  };

  const served: number[] = [];
  const alone: number[] = [];
  await throughService();
  await runAlone(service);
  for (let pair = 0; pair < PAIRS; pair++) {
    served.push(await throughService());
    alone.push(await runAlone(service));
  }
  const value = median(served);
  const limit = median(alone);
  return [{ figure: "first text", value, unit: "ms", limit, bar: { atMost: 1.15 } }];
}

async function runAlone({ environment }: Service): Promise<number> {
  const conversation = await newConversation(environment);
  const start = performance.now();
  await using cli = await CliByHand.start(conversation, "new", environment);
  return performance.now() - start + (await cli.ask(PROMPT));
}

function milliseconds(first: number | undefined): number {
  if (first === undefined) throw new Error("no text came");
  return first;
}
