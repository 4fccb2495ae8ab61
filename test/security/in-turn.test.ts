import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { ClientGone, StreamEnding } from "../../src/edge/stream-ending.ts";
import { InTurn } from "../../src/rpc/in-turn.ts";

const { signal } = new AbortController();

it("principals take turns, however much one has asked for, and also where its work fails", async () => {
  const turns = new InTurn();
  const order: string[] = [];
  const run = (principal: string) =>
    turns.run({ principal, signal }, async () => {
      order.push(principal);
      await setImmediate();
      if (principal === "bob") throw new Error("it fails");
    });
  const many = Array.from({ length: 20 }, () => run("alice"));
  const [bob] = await Promise.allSettled([run("bob"), run("carol"), ...many]);
  expect(bob).toMatchObject({ status: "rejected", reason: new Error("it fails") });
  // The first began when there was no other, with the second next in turn.
  expect(order.slice(0, 4)).toEqual(["alice", "alice", "bob", "carol"]);
  expect(order).toHaveLength(22);
});

it("what nobody waits for any more is not done, and what has begun is let end", async () => {
  const turns = new InTurn();
  const client = new AbortController();
  let begun = 0;
  const run = () =>
    turns.run({ principal: "alice", signal: client.signal }, async () => {
      begun++;
      await setImmediate();
    });
  const asked = Array.from({ length: 20 }, run);
  client.abort(new ClientGone());
  const [first, ...others] = await Promise.allSettled([...asked, run()]);
  expect(first).toMatchObject({ status: "fulfilled" });
  expect(others).toHaveLength(20);
  for (const other of others)
    expect(other).toMatchObject({ status: "rejected", reason: expect.any(ClientGone) });
  await turns.run({ principal: "alice", signal }, async () => void begun++);
  expect(begun).toBe(2);
});

it("what is asked for is done where the server ends the streams", async () => {
  const turns = new InTurn();
  const closing = new AbortController();
  const work = async () => void (await setImmediate());
  const run = () => turns.run({ principal: "alice", signal: closing.signal }, work);
  const asked = [run(), run(), run()];
  closing.abort(new StreamEnding("the server shuts down"));
  expect(await Promise.all([...asked, run()])).toHaveLength(4);
});
