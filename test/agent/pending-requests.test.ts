import { describe, expect, it } from "vitest";
import { PendingRequests } from "../../src/agent/pending-requests.ts";

const HOUR_MS = 3_600_000;

/** Asks, and tells the id that the answer is to carry. */
function ask(requests: PendingRequests<string>, withinMs = HOUR_MS) {
  let id: string | undefined;
  const answer = requests.ask((sent) => (id = sent), withinMs);
  return { answer, id };
}

describe("what an agent is asked", () => {
  it("is told to who asked, by the id of the request", async () => {
    const requests = new PendingRequests<string>();
    const [first, second] = [ask(requests), ask(requests)];
    expect(first.id).not.toBe(second.id);
    requests.answer("nobody's", "lost");
    requests.answer(second.id!, "two");
    requests.answer(first.id!, "one");
    requests.answer(first.id!, "one again");
    expect(await Promise.all([first.answer, second.answer])).toEqual(["one", "two"]);
  });

  it.each([
    [
      "it is refused",
      (requests: PendingRequests<string>, id: string) => requests.answer(id, undefined),
    ],
    ["no answer can come any more", (requests: PendingRequests<string>) => requests.abandon()],
  ])("has no answer where %s", async (_what, end) => {
    const requests = new PendingRequests<string>();
    const { answer, id } = ask(requests);
    end(requests, id!);
    expect(await answer).toBeUndefined();
  });

  it("has none where it is late", async () => {
    const requests = new PendingRequests<string>();
    const { answer, id } = ask(requests, 1);
    expect(await answer).toBeUndefined();
    requests.answer(id!, "late");
  });

  it("is not even sent where no answer can come", async () => {
    const requests = new PendingRequests<string>();
    requests.abandon();
    const { answer, id } = ask(requests);
    expect(await answer).toBeUndefined();
    expect(id).toBeUndefined();
  });
});
