import { describe, expect, it } from "vitest";
import { startCuttingProxy } from "../../src/conformance/cutting-proxy.ts";
import { createGate, script } from "../support/gate.ts";
import { startTestServer } from "../support/test-server.ts";
import { startCommand } from "./run-command.ts";

describe("run, over a connection that breaks", () => {
  it("prints every event once and exits 0, however the connection broke", async () => {
    await using proxy = await startCuttingProxy();
    await using server = await startTestServer({ BREAKGLASS_ALLOWED_HOSTS: proxy.host });
    proxy.forwardTo(server.url);
    const gates = [createGate(server.root), createGate(server.root)];
    const prompt = script("say one", gates[0]!.step, "say two", gates[1]!.step, "say three");
    const command = startCommand(["run", "--url", proxy.url, prompt]);
    await command.printed("stdout", "one");
    proxy.cut("RST");
    await command.printed("stderr", "Connected again.");
    gates[0]!.open();
    await command.printed("stdout", "two");
    proxy.refuse(true);
    proxy.cut("FIN");
    await command.printed("stderr", "No connection");
    gates[1]!.open();
    proxy.refuse(false);
    const { status, stdout, stderr } = await command.ended;
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\[.*\]\none\ntwo\nthree\nSucceeded.*\n$/);
    expect(stderr.match(/^Connection lost \(.*\); trying again in \d\.\d s\.$/gm)).toHaveLength(2);
    expect(stderr.match(/^Connected again\.$/gm)).toHaveLength(2);
  });

  it("detaches with Ctrl-\\ between two tries", async () => {
    await using proxy = await startCuttingProxy();
    await using server = await startTestServer({ BREAKGLASS_ALLOWED_HOSTS: proxy.host });
    proxy.forwardTo(server.url);
    const command = startCommand(["run", "--url", proxy.url, script("say one", "hang")]);
    await command.printed("stdout", "one");
    proxy.refuse(true);
    proxy.cut("RST");
    await command.printed("stderr", "No connection");
    command.process.kill("SIGQUIT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(/Attach again: breakglass attach --url \S+ \S+ --after 2\n/);
  });
});
