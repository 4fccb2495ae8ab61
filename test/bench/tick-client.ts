/** Runs as many turns as asked at once on the server at the URL given, and prints how old their ticks are on arrival. */
import { createBreakglassClient, readTurnEvents } from "#client";
import { openGrpcConnection } from "#client/node";
import { answerAges, TickAges } from "./ticks.ts";

const [url = "", turns = "1"] = process.argv.slice(2);
const connection = openGrpcConnection(url, undefined);
const client = createBreakglassClient(connection.transport);

async function follow(): Promise<number[]> {
  const ticks = new TickAges();
  for await (const { kind } of readTurnEvents(client, { run: { prompt: "go" } })) {
    if (kind.case === "text") ticks.take(kind.value.text);
    if (kind.case === "error") throw new Error(kind.value.message);
  }
  return ticks.settled;
}

const ages = await Promise.all(Array.from({ length: Number(turns) }, follow));
answerAges(ages.flat());
connection.close();
