import { expect, it } from "vitest";
import { ClientGone } from "../../src/edge/stream-ending.ts";
import { DecodingThread } from "../../src/rpc/decoding-thread.ts";

const MIB = 1024 * 1024;
const HOW = { encoding: undefined, isJson: true, maxBytes: 16 * MIB, textBytes: 16 * MIB };

/** A message that takes the thread some milliseconds. */
function message(): Uint8Array<ArrayBuffer>[] {
  return [new Uint8Array(Buffer.from(JSON.stringify({ prompt: "x".repeat(MIB) })))];
}

it("messages of principals are read in turn, however many one has sent", async () => {
  const thread = new DecodingThread();
  const order: string[] = [];
  const read = async (principal: string) => {
    const { signal } = new AbortController();
    await thread.decode("runTurn", message(), HOW, { principal, signal });
    order.push(principal);
  };
  const many = Array.from({ length: 20 }, () => read("alice"));
  await Promise.all([...many, read("bob"), read("carol")]);
  // The first began when there was no other, with the second next to it.
  expect(order.slice(0, 4)).toEqual(["alice", "alice", "bob", "carol"]);
  expect(order).toHaveLength(22);
});

it("a message whose client is gone is given up, and is in nobody's way", async () => {
  const thread = new DecodingThread();
  const client = new AbortController();
  const caller = { principal: "alice", signal: client.signal };
  const read = () => thread.decode("runTurn", message(), HOW, caller);
  const results = Promise.allSettled(Array.from({ length: 20 }, read));
  client.abort(new ClientGone());
  const late = read();
  await expect(late).rejects.toThrow(ClientGone);
  const { signal } = new AbortController();
  await thread.decode("runTurn", message(), HOW, { principal: "alice", signal });
  const [first, ...others] = await results;
  expect(first).toMatchObject({ status: "fulfilled" });
  for (const other of others) {
    expect(other).toMatchObject({ status: "rejected", reason: expect.any(ClientGone) });
  }
});

it("a message is read to its end where the server ends the stream of its answer", async () => {
  const thread = new DecodingThread();
  const client = new AbortController();
  const caller = { principal: "alice", signal: client.signal };
  const read = () => thread.decode("runTurn", message(), HOW, caller);
  const results = Promise.all(Array.from({ length: 3 }, read));
  client.abort(new Error("the server shuts down"));
  expect(await results).toHaveLength(3);
});
