import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startCuttingProxy } from "../../src/conformance/cutting-proxy.ts";
import { EventReader } from "../support/event-reader.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const ONE_EACH = { BREAKGLASS_PING_SECONDS: "1", BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1" };

describe("a peer of HTTP/2", () => {
  it("that is gone without a word is found, and its stream let go of", async () => {
    await using proxy = await startCuttingProxy();
    await using server = await startTestServer({
      ...ONE_EACH,
      BREAKGLASS_ALLOWED_HOSTS: proxy.host,
    });
    proxy.forwardTo(server.url);
    using lost = connect(proxy.url);
    using other = connect(server.url);
    const prompt = script("say a", createGate(server.root).step);
    await using reader = new EventReader(lost.client.runTurn({ prompt }));
    const { turnId } = await reader.until("text");
    proxy.blacken();
    await expectPlace(other.client, turnId);
  });

  it("that is stopped is found, and its stream let go of", async () => {
    await using server = await startTestServer(ONE_EACH);
    using other = connect(server.url);
    const prompt = script("say a", createGate(server.root).step);
    const started = new AbortController();
    const first = new EventReader(other.client.runTurn({ prompt }, { signal: started.signal }));
    const { turnId } = await first.until("text");
    started.abort();
    const child = startReader([process.execPath, ...NODE_FLAGS], "2", server.url, turnId);
    const exited = once(child, "exit");
    try {
      await once(child.stdout!, "data");
      expect(await refusalOf(other.client.attachTurn({ turnId }))).toMatchObject({
        reason: "TOO_MANY_SUBSCRIPTIONS",
      });
      child.kill("SIGSTOP");
      await expectPlace(other.client, turnId);
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
  });

  it("that says nothing because there is nothing to say stays", async () => {
    await using server = await startTestServer(ONE_EACH);
    using connection = connect(server.url);
    using other = connect(server.url);
    const gate = createGate(server.root);
    const prompt = script("say a", gate.step, "say b");
    await using reader = new EventReader(connection.client.runTurn({ prompt }));
    const { turnId } = await reader.until("text");
    await delay(4000); // Several times what it takes to be given up.
    expect(await refusalOf(other.client.attachTurn({ turnId }))).toMatchObject({
      reason: "TOO_MANY_SUBSCRIPTIONS",
    });
    gate.open();
    await reader.until("text");
  });
});

const canCut = canMakeNamespaces();
const why = canCut ? "" : " (not here: `ip netns add` fails; it takes root and iproute2)";

/** Packets are dropped for real: a network namespace at the end of a cable, which takes root. */
describe.skipIf(!canCut)(`a peer whose network is gone${why}`, () => {
  it.each(["1.1", "2"])("is found by its silence, over HTTP/%s", async (version) => {
    const name = `bg${process.pid}h${version[0]}`;
    // A cable that was removed, or that a run before left, keeps its addresses for a while.
    const net = `10.${212 + Number(version[0])}.${process.pid % 256}`;
    const ip = (command: string) => execFileSync("ip", command.split(" "), { stdio: "pipe" });
    ip(`netns add ${name}`);
    try {
      ip(`link add ${name}a type veth peer name ${name}b netns ${name}`);
      ip(`addr add ${net}.1/30 dev ${name}a`);
      ip(`link set ${name}a up`);
      ip(`-n ${name} addr add ${net}.2/30 dev ${name}b`);
      ip(`-n ${name} link set ${name}b up`);
      await using environment = await createTestEnvironment();
      const tokens = join(environment.root, "tokens");
      await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
      await using server = await startTestServer({
        ...ONE_EACH,
        BREAKGLASS_LISTEN: `${net}.1:0`,
        BREAKGLASS_PLAINTEXT: "anywhere",
        BREAKGLASS_TOKENS_FILE: tokens,
      });
      using other = connect(server.url, { authorization: "Bearer secret" });
      const gate = createGate(server.root);
      const prompt = script("say a", gate.step, "say b", createGate(server.root).step);
      const started = new AbortController();
      const first = new EventReader(other.client.runTurn({ prompt }, { signal: started.signal }));
      const { turnId } = await first.until("text");
      started.abort();
      const inside = ["ip", "netns", "exec", name, process.execPath, ...NODE_FLAGS];
      const child = startReader(inside, version, server.url, turnId, "secret");
      const exited = once(child, "exit");
      try {
        await once(child.stdout!, "data");
        // The client's acknowledgements and answers go nowhere; what the server sends arrives.
        ip(`-n ${name} route add blackhole ${net}.1/32`);
        gate.open();
        await expectPlace(other.client, turnId);
      } finally {
        child.kill("SIGKILL");
        await exited;
      }
    } finally {
      ip(`netns del ${name}`);
    }
  });
});

/** A client in a process of its own, which says when it has its first event. It tries until there is a place for it. */
function startReader(
  [command, ...args]: string[],
  version: string,
  url: string,
  turnId: string,
  token = "",
): ChildProcess {
  const program = fileURLToPath(new URL("./reader-program.ts", import.meta.url));
  const all = [...args, program, version, url, turnId, token];
  return spawn(command!, all, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Waits until the only place of a turn is free again: its reader was let go of. */
async function expectPlace(client: TestClient["client"], turnId: string): Promise<void> {
  const attach = async () => {
    const left = new AbortController();
    const reader = new EventReader(client.attachTurn({ turnId }, { signal: left.signal }));
    const found = await reader.until("checkpoint").then(
      () => "a place",
      () => "no place",
    );
    left.abort();
    return found;
  };
  expect(await attach()).toBe("no place");
  expect(await eventually(attach, (found) => found === "a place", 20_000)).toBe("a place");
}

function canMakeNamespaces(): boolean {
  const name = `bg${process.pid}x`;
  try {
    execFileSync("ip", ["netns", "add", name], { stdio: "ignore" });
    execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
