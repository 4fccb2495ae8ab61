import { execFile, execFileSync, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { describe, expect, it } from "vitest";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { GrpcJsClient } from "../support/grpc-js.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const OWN = BreakglassService.typeName;

function healthOf(baseUrl: string) {
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(Health, createGrpcTransport({ baseUrl, sessionManager }));
  return Object.assign(client, { [Symbol.dispose]: () => sessionManager.abort() });
}

describe("health", () => {
  it("is told of the server and of the service, in every protocol", async () => {
    await using server = await startTestServer();
    const baseUrl = server.url;
    using grpc = healthOf(baseUrl);
    const clients = [
      grpc,
      createClient(Health, createConnectTransport({ baseUrl })),
      createClient(Health, createGrpcWebTransport({ baseUrl })),
    ];
    for (const client of clients) {
      expect(await client.check({})).toMatchObject({ status: Status.SERVING });
      expect(await client.check({ service: OWN })).toMatchObject({ status: Status.SERVING });
      const unknown = await refusalOf(client.check({ service: "other.v1.Service" }));
      expect(unknown).toMatchObject({ code: "NotFound" });
      const { statuses } = await client.list({});
      expect(Object.keys(statuses).toSorted()).toEqual(["", OWN]);
    }
    using official = new GrpcJsClient(baseUrl);
    const answer = await official.call(Health.method.check, { service: "" });
    expect(answer).toMatchObject({ status: Status.SERVING });
  });

  it("is told to probes, who have no token, and nothing else is", async () => {
    await using files = await startTestServer();
    const path = `${files.root}/tokens`;
    await writeFile(path, tokenLine("a", "alice"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: path });
    using health = healthOf(server.url);
    using probe = connect(server.url);
    expect(await health.check({})).toMatchObject({ status: Status.SERVING });
    const refused = { code: "Unauthenticated" };
    expect(await refusalOf(health.list({}))).toMatchObject(refused);
    expect(await refusalOf(health.watch({}))).toMatchObject(refused);
    expect(await refusalOf(probe.client.listSessions({}))).toMatchObject(refused);
  });

  it("is not told to who calls another host", async () => {
    await using server = await startTestServer();
    const url = `${server.url}/grpc.health.v1.Health/Check`;
    const headers = { "content-type": "application/json", origin: "https://evil.example" };
    const response = await fetch(url, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(403);
  });

  it("of a server that drains is that it does not serve, while its turns have their grace", async () => {
    await using server = await startTestServer({ BREAKGLASS_DRAIN_SECONDS: "60" });
    using health = healthOf(server.url);
    using connection = connect(server.url);
    await using run = new EventReader(connection.client.runTurn({ prompt: "hang" }));
    const { turnId } = await run.until("session");
    const watch = health.watch({ service: OWN })[Symbol.asyncIterator]();
    expect(await watch.next()).toMatchObject({ value: { status: Status.SERVING } });
    const drained = server.drain();
    expect(await watch.next()).toMatchObject({ value: { status: Status.NOT_SERVING } });
    expect(await health.check({})).toMatchObject({ status: Status.NOT_SERVING });
    await connection.client.cancelTurn({ turnId });
    await run.rest();
    expect(await refusalOf({ [Symbol.asyncIterator]: () => watch })).toMatchObject({
      code: "Unavailable",
      reason: "STREAM_ENDED",
    });
    await drained;
  });

  it("of a server whose disk is full is that it does not serve, until there is room again", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    using health = healthOf(server.url);
    const limitFiles = (bytes: string) =>
      execFileSync("prlimit", ["--pid", String(server.pid), `--fsize=${bytes}:unlimited`]);
    const check = () => health.check({});
    const watch = health.watch({})[Symbol.asyncIterator]();
    expect(await watch.next()).toMatchObject({ value: { status: Status.SERVING } });
    limitFiles("1");
    expect(await watch.next()).toMatchObject({ value: { status: Status.NOT_SERVING } });
    expect(await check()).toMatchObject({ status: Status.NOT_SERVING });
    limitFiles("unlimited");
    expect(await watch.next()).toMatchObject({ value: { status: Status.SERVING } });
    await eventually(check, ({ status }) => status === Status.SERVING);
  });

  it("of a service that is not known is that, for as long as it is watched", async () => {
    await using server = await startTestServer();
    using health = healthOf(server.url);
    const leave = new AbortController();
    const watch = health.watch({ service: "other" }, { signal: leave.signal });
    const messages = watch[Symbol.asyncIterator]();
    expect(await messages.next()).toMatchObject({ value: { status: Status.SERVICE_UNKNOWN } });
    const next = messages.next();
    leave.abort();
    await expect(next).rejects.toMatchObject({ rawMessage: expect.any(String) });
  });
});

const PROBE = "grpc-health-probe";
const isMissing = spawnSync(PROBE, ["-version"]).error !== undefined;
const lack = isMissing ? ` (left out: no ${PROBE} on PATH; go -C test/tools install tool)` : "";

describe.skipIf(isMissing)(`${PROBE}${lack}`, () => {
  it.each(["", OWN])("finds the server well: %j", async (service) => {
    await using server = await startTestServer();
    const { host } = new URL(server.url);
    const probe = promisify(execFile)(PROBE, [`-addr=${host}`, `-service=${service}`]);
    const { stdout, stderr } = await probe;
    expect(stdout + stderr).toContain("status: SERVING");
  });
});
