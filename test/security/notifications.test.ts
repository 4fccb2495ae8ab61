import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newSecret, silent, WebhookReceiver } from "../notify/webhook-receiver.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { makeCertificate } from "./certificate.ts";
import { startServe } from "./told-server.ts";

async function turn(url: string): Promise<string> {
  using connection = connect(url);
  const events = await collect(connection.client.runTurn({ prompt: "say hello" }));
  return events[0]!.turnId;
}

describe.concurrent("what is to be told outside", () => {
  it("is told by the next server where the one before was killed between the commit and the delivery", async () => {
    await using environment = await createTestEnvironment();
    await using receiver = await WebhookReceiver.start();
    const settings = await receiver.settings(environment.root);
    receiver.answer = silent;
    const ids: string[] = [];
    for (let kill = 1; kill <= 3; kill++) {
      await using server = await startServe(environment, settings);
      ids.push(await turn(server.url));
      // Some that were tried, and some that never were.
      if (kill < 3) await receiver.until(kill);
      server.send("SIGKILL");
      await server.exited;
    }
    const tried = new Map(receiver.received.map(({ id, message }) => [message.data.turn_id, id]));
    const before = receiver.received.length;
    receiver.answer = (response) => void response.writeHead(204).end();
    await using server = await startServe(environment, settings);
    const later = (await receiver.until(before + 3)).slice(before);
    expect(new Set(later.map(({ message }) => message.data.turn_id))).toEqual(new Set(ids));
    for (const { id, message } of later) {
      const turnId = message.data.turn_id as string;
      if (tried.has(turnId)) expect(id).toBe(tried.get(turnId));
    }
    server.send("SIGTERM");
    await server.exited;
    const ended = new Set(receiver.received.slice(before).map(({ id }) => id));
    expect(ended.size).toBe(3);
  });

  it("is told of turns that a killed server left too", async () => {
    await using environment = await createTestEnvironment();
    await using receiver = await WebhookReceiver.start();
    const settings = await receiver.settings(environment.root);
    await using first = await startServe(environment, settings);
    using connection = connect(first.url);
    const stream = connection.client.runTurn({ prompt: "hang" })[Symbol.asyncIterator]();
    const { value } = await stream.next();
    first.send("SIGKILL");
    await first.exited;
    await using _ = await startServe(environment, settings);
    const [told] = await receiver.until(1);
    expect(told?.message.data).toMatchObject({
      turn_id: value.event.turnId,
      ...{ state: "LOST", error_reason: "SERVER_RESTARTED" },
    });
  });

  it("is signed by each secret of the file as it was read last, and the log has none of them", async () => {
    await using environment = await createTestEnvironment();
    await using receiver = await WebhookReceiver.start();
    const settings = await receiver.settings(environment.root);
    await using server = await startServe(environment, settings);
    await turn(server.url);
    await receiver.until(1);
    const file = settings.BREAKGLASS_NOTIFY_SECRET_FILE!;
    const other = newSecret();
    await writeFile(file, `${other}\n`);
    await server.told("SIGHUP", /read again.*NOTIFY_SECRET/);
    await turn(server.url);
    // It was sent before the file says something else.
    await eventually(
      () => receiver.refused.length,
      (count) => count > 0,
    );
    await writeFile(file, `${other}\n${receiver.secret}\n`);
    await server.told("SIGHUP", /read again.*NOTIFY_SECRET/);
    await turn(server.url);
    await writeFile(file, "whsec_tooshort\n");
    await server.told("SIGHUP", /what it was before stays.*NOTIFY_SECRET.*line 1 must be/);
    await turn(server.url);
    await receiver.until(3);
    server.send("SIGTERM");
    await server.exited;
    // One may come twice, where its answer is late.
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(3);
    expect(receiver.refused.length).toBeGreaterThan(0);
    for (const secret of [other, receiver.secret, "tooshort"]) {
      expect(server.log()).not.toContain(secret);
    }
  });

  it("goes to nobody whose certificate is not verified, whatever the environment says", async () => {
    await using environment = await createTestEnvironment();
    const tls = makeCertificate(environment.root);
    const cert = tls.BREAKGLASS_TLS_CERT!;
    await using receiver = await WebhookReceiver.start({ cert, key: tls.BREAKGLASS_TLS_KEY! });
    const settings = await receiver.settings(environment.root);
    {
      const careless = { ...settings, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
      await using server = await startServe(environment, careless);
      await turn(server.url);
      server.send("SIGTERM");
      await server.exited;
      expect(server.log()).toMatch(/not taken.*SELF_SIGNED/);
    }
    expect(receiver.received).toEqual([]);
    await using server = await startServe(environment, { ...settings, BREAKGLASS_NOTIFY_CA: cert });
    await receiver.until(1);
    expect(receiver.refused).toEqual([]);
    server.send("SIGTERM");
    await server.exited;
  });

  it("is verified by the authorities that Node was given too", async () => {
    await using environment = await createTestEnvironment();
    const { BREAKGLASS_TLS_CERT: cert = "", BREAKGLASS_TLS_KEY: key = "" } = makeCertificate(
      environment.root,
    );
    await using receiver = await WebhookReceiver.start({ cert, key });
    const settings = await receiver.settings(environment.root);
    await using server = await startServe(environment, { ...settings, NODE_EXTRA_CA_CERTS: cert });
    await turn(server.url);
    expect(await receiver.until(1)).toHaveLength(1);
  });

  it("goes through no proxy of the environment's", async () => {
    await using environment = await createTestEnvironment();
    await using receiver = await WebhookReceiver.start();
    const asked: string[] = [];
    const proxy = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.writeHead(204).end();
    });
    proxy.on("connect", ({ url = "" }, socket) => {
      asked.push(url);
      socket.destroy();
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const env = { HTTP_PROXY: address, http_proxy: address, HTTPS_PROXY: address };
    await using server = await startServe(environment, {
      ...(await receiver.settings(environment.root)),
      ...{ ...env, NODE_USE_ENV_PROXY: "1" },
    });
    await turn(server.url);
    expect(await receiver.until(1)).toHaveLength(1);
    expect(asked).toEqual([]);
    proxy.closeAllConnections();
    proxy.close();
  });
});

describe.concurrent("a server that is to tell", () => {
  it.each([
    ["no secret file", {}, /BREAKGLASS_NOTIFY_SECRET_FILE is not: name the file/],
    [
      "a URL of another kind",
      { BREAKGLASS_NOTIFY_URL: "file://u:hidden@x/" },
      /is not usable, but takes an http/,
    ],
    ["an unknown kind", { BREAKGLASS_NOTIFY_KINDS: "turn.begun" }, /takes approval.requested/],
  ])("does not start with %s, and says what to mend", async (_, more, words) => {
    const settings = { BREAKGLASS_NOTIFY_URL: "http://127.0.0.1:9", ...more };
    const refused = startTestServer(settings as Record<string, string>);
    await expect(refused).rejects.toThrow(words as RegExp);
    await expect(refused).rejects.not.toThrow(/hidden/);
  });

  it("does not start with a secret that others can read, or that is none", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "secret");
    const settings = {
      BREAKGLASS_NOTIFY_URL: "http://127.0.0.1:9",
      BREAKGLASS_NOTIFY_SECRET_FILE: file,
    };
    await writeFile(file, "whsec_c2hvcnQ=\n", { mode: 0o600 });
    await expect(startTestServer(settings)).rejects.toThrow(/line 1 must be "whsec_"/);
    await writeFile(file, "# none\n");
    await expect(startTestServer(settings)).rejects.toThrow(/holds no secret/);
  });
});
