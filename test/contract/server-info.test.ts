import { writeFile } from "node:fs/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Containment, SignInMethod } from "../../gen/breakglass/v1/server_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

describe("GetServerInfo", () => {
  it("tells what the server is, what it takes, and who asks", async () => {
    await using server = await startTestServer({
      BREAKGLASS_MAX_CONCURRENT_TURNS: "7",
      BREAKGLASS_TURN_TIMEOUT_SECONDS: "90",
      BREAKGLASS_RETENTION_SECONDS: "0",
      BREAKGLASS_PERMISSION_MODE: "ask",
      BREAKGLASS_MODEL: "opus",
    });
    using connection = connect(server.url);
    const { server: told } = await connection.client.getServerInfo({});
    expect(told).toMatchObject({
      version: "0.1.0",
      nodeVersion: process.versions.node,
      defaultPermissionMode: PermissionMode.ASK,
      signInMethods: [SignInMethod.LOCAL],
      draining: false,
      caller: { principal: "local", method: SignInMethod.LOCAL },
    });
    expect(told?.agents).toMatchObject([
      {
        kind: "claude",
        version: "0.0.1",
        defaultAgent: "breakglass",
        defaultModel: "opus",
        canSteer: true,
        tellsCost: true,
      },
    ]);
    expect(told?.limits).toMatchObject({ maxConcurrentTurns: 7, maxAttachments: 20 });
    expect(durationMs(told!.limits!.turnTimeout!)).toBe(90_000);
    expect(told?.limits?.retention).toBeUndefined();
    expect(told?.caller?.roles.toSorted()).toEqual(["admin", "approver", "operator", "viewer"]);
    const held = server.log.find((line) => line.includes("what an agent starts is held together"));
    const containments = new Map<Containment, string>([
      [Containment.CGROUP, "cgroup"],
      [Containment.ENVIRONMENT_MARK, "environment mark"],
      [Containment.PROCESS_GROUP, "process group"],
    ]);
    expect(held).toContain(`"by":"${containments.get(told!.containment)}"`);
  });

  it("takes a token where every call does, and tells whose it is", async () => {
    await using files = await startTestServer();
    const path = `${files.root}/tokens`;
    await writeFile(path, tokenLine("a", "alice"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: path });
    using stranger = connect(server.url);
    expect(await refusalOf(stranger.client.getServerInfo({}))).toMatchObject({
      code: "Unauthenticated",
    });
    using connection = connect(server.url, { authorization: "Bearer a" });
    const { server: told } = await connection.client.getServerInfo({});
    expect(told).toMatchObject({
      caller: { principal: "alice", method: SignInMethod.TOKEN },
      signInMethods: [SignInMethod.TOKEN],
    });
  });

  it("says that the server drains", async () => {
    await using server = await startTestServer({ BREAKGLASS_DRAIN_SECONDS: "60" });
    using connection = connect(server.url);
    await using run = new EventReader(connection.client.runTurn({ prompt: "hang" }));
    const { turnId } = await run.until("session");
    const drained = server.drain();
    const told = await eventually(
      async () => (await connection.client.getServerInfo({})).server,
      (info) => info?.draining === true,
    );
    expect(told?.draining).toBe(true);
    await connection.client.cancelTurn({ turnId });
    await run.rest();
    await drained;
  });
});
