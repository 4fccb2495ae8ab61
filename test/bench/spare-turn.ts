import { say } from "../../src/drill/script.ts";
import { type Figure, median } from "./figure.ts";
import { startLiveService } from "./live-service.ts";

const ROUNDS = 12;
const PROMPT = "Say hello.";
const SCRIPT = [{ when: PROMPT, steps: [say("Hello.")] }];

/** How long it takes to the first text of a new session where a spare process waits, against its second turn. */
export async function measureSpareTurn(): Promise<Figure[]> {
  await using live = await startLiveService(SCRIPT, { BREAKGLASS_SPARE_PROCESSES: "1" });
  const first: number[] = [];
  const second: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await live.quiet();
    const opened = await live.run({ prompt: PROMPT });
    const { sessionId } = opened;
    // The next spare is coming up by now.
    await live.quiet();
    const again = await live.run({ prompt: PROMPT, sessionId });
    await live.client.deleteSession({ sessionId });
    if (opened.firstTextMs === undefined || again.firstTextMs === undefined) {
      throw new Error("no text came");
    }
    first.push(opened.firstTextMs);
    second.push(again.firstTextMs);
  }
  const value = median(first);
  const limit = median(second);
  return [{ figure: "first turn with a spare", value, unit: "ms", limit, bar: { atMost: 1.5 } }];
}
