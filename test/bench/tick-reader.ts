/** Runs as many of the agent given as asked at once, and prints how old their ticks are at the end of their pipes. */
import { spawn } from "node:child_process";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { answerAges, TickAges } from "./ticks.ts";

const [agent = "", count = "1"] = process.argv.slice(2);

async function follow(): Promise<number[]> {
  const ticks = new TickAges();
  const lines = new ByteLines(1_000_000, {
    line(bytes) {
      const message = JSON.parse(Buffer.from(bytes).toString());
      if (message.type === "assistant") ticks.take(message.message.content[0].text);
    },
    skipped() {},
  });
  const { stdin, stdout } = spawn(agent, { stdio: ["pipe", "pipe", "inherit"] });
  stdin.write("go\n");
  for await (const chunk of stdout) lines.push(chunk as Buffer);
  return ticks.settled;
}

const ages = await Promise.all(Array.from({ length: Number(count) }, follow));
answerAges(ages.flat());
