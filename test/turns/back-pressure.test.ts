import { expect, it } from "vitest";
import { cases } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { pass, result, startDrivenTurns, text } from "./driven-turns.ts";

it("an agent is read no further than the disk keeps up", async () => {
  await using driven = await startDrivenTurns();
  const { store } = driven;
  const { turnId, run } = await driven.begin();
  store.isHeld = true;
  // Of 300 KB each: with the fourth more than 1 MiB is on its way to the disk.
  for (let n = 1; n <= 10; n++) run.give([text(300_000)]);
  run.give([result()]);
  run.leave();
  await eventually(
    () => run.unread,
    (unread) => unread === 7,
  );
  await pass();
  expect(run.unread).toBe(7);
  expect(store.waiting).toEqual(Array(4).fill("append"));
  store.isHeld = false;
  store.release(4);
  await driven.ended(turnId);
  expect(cases(await driven.readLog(turnId))).toEqual([...Array(10).fill("text"), "result"]);
});
