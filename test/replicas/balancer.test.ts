import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { startBalancer } from "../../src/replicas/balancer.ts";

/** Says its name to each that comes, and repeats what it is told. */
async function startNamed(name: string) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => void (server.listening && server.close()),
  };
}

async function said(url: string, words = ""): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.end(words);
  return text(socket);
}

describe("the balancer", () => {
  it("gives each connection to the next server, and passes all on", async () => {
    await using one = await startNamed("one ");
    await using two = await startNamed("two ");
    await using balancer = await startBalancer([one.port, two.port]);
    const words = "x".repeat(1_000_000);
    expect(await said(balancer.url, "a")).toBe("one a");
    expect(balancer.newest).toBe(0);
    expect(await said(balancer.url, words)).toBe(`two ${words}`);
    expect(balancer.newest).toBe(1);
    expect(await said(balancer.url, "c")).toBe("one c");
  });

  it("passes over a server that is gone, and ends what none takes", async () => {
    const one = await startNamed("one ");
    await using two = await startNamed("two ");
    await using balancer = await startBalancer([one.port, two.port]);
    await one[Symbol.asyncDispose]();
    expect(await said(balancer.url)).toBe("two ");
    expect(await said(balancer.url)).toBe("two ");
    await two[Symbol.asyncDispose]();
    await expect(said(balancer.url)).rejects.toThrow();
  });
});
