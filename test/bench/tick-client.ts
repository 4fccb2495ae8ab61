/** Runs as many turns as asked at once on the server at the URL given, and prints how old their ticks are on arrival. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { answerAges, TickAges } from "./ticks.ts";

const [url = "", turns = "1"] = process.argv.slice(2);
const client = createClient(BreakglassService, createGrpcTransport({ baseUrl: url }));
const ages: number[] = [];

async function follow(): Promise<void> {
  const ticks = new TickAges(ages);
  let ended = false;
  for await (const { event } of client.runTurn({ prompt: "go" })) {
    if (event?.kind.case === "text") ticks.take(event.kind.value.text);
    ended = event?.kind.case === "result";
  }
  if (!ended) throw new Error("a turn ended without a result");
}

await Promise.all(Array.from({ length: Number(turns) }, follow));
answerAges(ages);
process.exit();
