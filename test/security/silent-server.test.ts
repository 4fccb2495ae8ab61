import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { runCommand, startCommand } from "../commands/run-command.ts";
import { TURN_ID } from "../commands/service-double.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { makeCertificate } from "./certificate.ts";
import { type SILENCES, startSilentServer } from "./silent-servers.ts";

type Silence = keyof typeof SILENCES;

/** It takes 8 s; without a bound of its own 35 s and more. */
const SOON_MS = 25_000;
const DEAD = "UNAVAILABLE: the connection is open, but neither the request nor a ping was answered";

async function ending(silence: Silence, scheme: "http" | "https", args: readonly string[]) {
  await using server = await startSilentServer(silence);
  const url = `${scheme}://${server.host}`;
  const ended = await runCommand([...args, "--url", url]);
  return { ...ended, url, tookMs: performance.now() - (await server.connectedAt) };
}

describe.concurrent("a call to a server that accepts and says nothing", () => {
  it("ends with 3 soon, and says which server and what was waited for, whatever is called", async () => {
    const commands = [
      ...[["sessions"], ["turns", "x"], ["steer", "x", "y"], ["cancel", "x"], ["interrupt", "x"]],
      ...[
        ["approve", "x", "y"],
        ["deny", "x", "y"],
        ["run", "x"],
        ["attach", "x"],
        ["watch", "x"],
      ],
    ];
    await Promise.all(
      commands.map(async (args) => {
        const silence = "accepts and says nothing";
        const { status, stderr, url, tookMs } = await ending(silence, "http", args);
        expect(stderr).toContain(`breakglass: ${url}: ${DEAD} within 7 s\n`);
        expect(status).toBe(3);
        expect(tookMs).toBeLessThan(SOON_MS);
      }),
    );
  });
});

describe.concurrent("a call to a server that", () => {
  it.each<[Silence, "http" | "https", string]>([
    ["accepts and says nothing", "https", "UNAVAILABLE: there was no TLS connection within 7 s"],
    ["sends its SETTINGS and nothing more", "http", `${DEAD} within 7 s`],
    [
      "answers pings and no request",
      "http",
      "DEADLINE_EXCEEDED: ListSessions was not answered within 8 s",
    ],
    [
      "resets the connection at its first bytes",
      "http",
      "UNAVAILABLE: the connection was closed before the call was over\n  The URL of a server with TLS begins with https:",
    ],
    [
      "answers with headers and no message",
      "http",
      "DEADLINE_EXCEEDED: ListSessions was not answered within 8 s",
    ],
    [
      "is a proxy that answers HTML",
      "http",
      "INTERNAL: Protocol error: what answers there does not speak HTTP/2\n  It is not breakglass that answers there: look at the host and the port in --url or BREAKGLASS_URL. A proxy has to pass on gRPC.",
    ],
  ])("%s, by %s, ends with 3 soon", async (silence, scheme, message) => {
    const { status, stderr, url, tookMs } = await ending(silence, scheme, ["sessions"]);
    expect(stderr).toBe(`breakglass: ${url}: ${message}\n`);
    expect(status).toBe(3);
    expect(tookMs).toBeLessThan(SOON_MS);
  });
});

describe.concurrent("a URL with the wrong scheme", () => {
  it("is told of where the server has TLS", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startTestServer(makeCertificate(environment.root));
    const url = server.url.replace("https:", "http:");
    const { status, stderr } = await runCommand(["sessions", "--url", url]);
    expect(stderr).toBe(
      `breakglass: ${url}: UNAVAILABLE: the connection was closed before the call was over\n  The URL of a server with TLS begins with https:\n`,
    );
    expect(status).toBe(3);
  });

  it("is told of where the server has none", async () => {
    await using server = await startTestServer();
    const url = server.url.replace("http:", "https:");
    const { status, stderr } = await runCommand(["sessions", "--url", url]);
    expect(stderr).toBe(
      `breakglass: ${url}: UNAVAILABLE: what answers there does not speak TLS; without it a URL begins with http:\n`,
    );
    expect(status).toBe(3);
  });
});

describe.concurrent("a call that may take long, to a server that answers pings and no request", () => {
  it.each([
    ["cancel", "CancelTurn"],
    ["interrupt", "InterruptTurn"],
    ["attach", "AttachTurn"],
    ["watch", "WatchSession"],
  ])("%s waits, and says so", async (command, method) => {
    await using server = await startSilentServer("answers pings and no request");
    const url = `http://${server.host}`;
    const running = startCommand([command, "--url", url, TURN_ID]);
    await running.printed(
      "stderr",
      `breakglass: ${url}: ${method} has not been answered yet; waiting.\n`,
    );
    expect(performance.now() - (await server.connectedAt)).toBeLessThan(SOON_MS);
    running.process.kill("SIGINT");
    await running.ended;
  });

  it("a run that was left there tells the request's own id, by which it is joined", async () => {
    await using server = await startSilentServer("answers with headers and no message");
    const url = `http://${server.host}`;
    const running = startCommand(["run", "--url", url, "x"]);
    await running.printed("stderr", `${url}: RunTurn has not been answered yet; waiting.\n`);
    running.process.kill("SIGINT");
    const { status, stderr } = await running.ended;
    expect(status).toBe(130);
    const [body] = await eventually(
      () => server.bodies,
      ({ length }) => length > 0,
    );
    const { requestId } = fromBinary(RunTurnRequestSchema, body!.subarray(5));
    expect(requestId).not.toBe("");
    expect(stderr).toContain(`The same command with --request-id ${requestId} joins the turn`);
  });
});
