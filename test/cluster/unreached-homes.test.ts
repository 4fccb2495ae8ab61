import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { freePort } from "../support/free-port.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startTwoReplicas, type TwoReplicas } from "./two-replicas.ts";

describe("a call whose home cannot be asked", () => {
  let replicas: TwoReplicas;
  beforeAll(async () => {
    replicas = await startTwoReplicas();
  });
  afterAll(() => replicas[Symbol.asyncDispose]());

  const unknown = { rawMessage: "no such turn" };
  const cancel = () => {
    const first = connect(replicas.first.url);
    const canceled = first.client.cancelTurn({ turnId: randomUUID() });
    return canceled.finally(() => first[Symbol.dispose]());
  };

  it("is answered by the first, which knows of none of its own, where it has no lease, no address, or is not there", async () => {
    const { place } = replicas;
    const { address } = place;
    const changes = [
      { isPresent: false },
      { address: "" },
      { address: `127.0.0.1:${await freePort()}` },
    ];
    for (const change of changes) {
      Object.assign(place, change);
      await expect(cancel()).rejects.toMatchObject(unknown);
      Object.assign(place, { isPresent: true, address });
    }
  });

  it("waits no longer than a moment for one that takes connections and says nothing", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { address } = replicas.place;
    replicas.place.address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(cancel()).rejects.toMatchObject(unknown);
    replicas.place.address = address;
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("goes one hop at most, also where each of two takes the other for the home", async () => {
    const { first } = replicas;
    replicas.homePlace = { owner: "first", address: first.address, isPresent: true };
    await expect(cancel()).rejects.toMatchObject(unknown);
    using connection = connect(first.url);
    const events = await collect(
      connection.client.runTurn({ sessionId: randomUUID(), prompt: "say hello" }),
    );
    expect(events.at(-1)?.kind.case).toBe("result");
    replicas.homePlace = undefined;
  });
});

describe("a home that drains", () => {
  it("ends its streams as for its own clients, and what is asked then is answered elsewhere", async () => {
    await using replicas = await startTwoReplicas();
    using first = connect(replicas.first.url);
    const gate = createGate(replicas.home.root);
    await using reader = new EventReader(
      first.client.runTurn({ sessionId: randomUUID(), prompt: script("say one", gate.step) }),
    );
    const { turnId } = await reader.until("text");
    await replicas.home.server.drain(0);
    const events = await reader.rest();
    expect(events.at(-1)?.kind.case).toBe("error");
    const canceled = first.client.cancelTurn({ turnId });
    await expect(canceled).rejects.toMatchObject({ code: Code.NotFound });
  });
});

describe("a first replica that drains", () => {
  it("ends what it hands on as its own streams, so that its clients come back elsewhere", async () => {
    await using replicas = await startTwoReplicas();
    using first = connect(replicas.first.url);
    const gate = createGate(replicas.home.root);
    await using reader = new EventReader(
      first.client.runTurn({ sessionId: randomUUID(), prompt: script("say one", gate.step) }),
    );
    await reader.until("text");
    const drained = replicas.first.server.drain(0);
    await expect(reader.rest()).rejects.toMatchObject({ code: Code.Unavailable });
    await drained;
    gate.open();
  });
});
