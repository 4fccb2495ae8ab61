import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { curl, type OpenClient, openClient, runCommand } from "../support/operator.ts";
import { eventually } from "../support/processes.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-calls-"));
});
afterEach(() => rm(folder, { recursive: true }));

const TOKEN = "alice-has-it";

/** A server with a turn whose tool call waits for an approval, and an agent of another session that may do all. */
interface Attacked extends AsyncDisposable {
  readonly server: TestServer;
  readonly url: string;
  /** The command that approves the call. */
  approving(more?: string): string;
  /** The bytes of a request over HTTP/1.1 that approves it, as `printf` takes them. */
  readonly requestText: string;
  /** Plays steps as the agent, and answers what its commands printed. */
  asAgent(steps: string): Promise<string>;
  /** Whether the call still waits. */
  waits(): Promise<boolean>;
}

async function attacked(
  listen: string,
  hasTokens = false,
  settings: Readonly<Record<string, string>> = {},
): Promise<Attacked> {
  await using cleanup = new AsyncDisposableStack();
  const tokens = join(folder, "tokens");
  await writeFile(tokens, tokenLine(TOKEN, "alice"), { mode: 0o600 });
  const more = hasTokens
    ? { BREAKGLASS_TOKENS_FILE: tokens, BREAKGLASS_PLAINTEXT: "anywhere" }
    : {};
  const server = cleanup.use(
    await startTestServer({ BREAKGLASS_LISTEN: listen, ...more, ...settings }),
  );
  const url = server.url.replace("[::]", "127.0.0.1");
  const open = (): OpenClient => cleanup.use(openClient(url, hasTokens ? TOKEN : undefined));
  const { client } = open();
  const asked = cleanup.use(
    new EventReader(
      client.runTurn({
        prompt: 'ask Deploy {"to":"everywhere"}\nresult',
        permissionMode: PermissionMode.ASK,
      }),
    ),
  );
  const { turnId, kind } = await asked.until("approvalRequest");
  const approvalId = kind.case === "approvalRequest" ? kind.value.approvalId : "";
  const body = JSON.stringify({ turnId, approvalId, allow: {} });
  const owned = cleanup.move();
  const authorization = hasTokens ? `authorization: Bearer ${TOKEN}` : "x-none: x";
  return {
    server,
    url,
    approving: (rest = "") =>
      curl(url, { method: "ResolveApproval", body, more: `-H '${authorization}' ${rest}` }),
    requestText: [
      "POST /breakglass.v1.BreakglassService/ResolveApproval HTTP/1.1",
      `host: localhost`,
      authorization,
      "content-type: application/json",
      `content-length: ${body.length}`,
      "",
      body.replaceAll('"', '\\"'),
    ].join("\\r\\n"),
    async asAgent(steps) {
      const events = await collect(client.runTurn({ prompt: `${steps}\nresult` }));
      return valuesOf(events, "toolResult")
        .map(({ content }) => content)
        .join("");
    },
    async waits() {
      const { approvals } = await client.listApprovals({});
      return approvals.length === 1;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const REFUSED = /permission_denied.*an agent/;
const ALLOWED = /"turn":|^\{.*\}$/;
const portOf = (url: string) => new URL(url).port;

describe.each<[string, () => string, boolean]>([
  ["TCP", () => "127.0.0.1:0", false],
  ["TCP, with a token of its operator's", () => "127.0.0.1:0", true],
  ["TCP of IPv6", () => "[::1]:0", false],
  ["all addresses of IPv6, by one of IPv4", () => "[::]:0", true],
  ["a socket in the file system", () => `unix:${join(folder, "socket")}`, false],
])("an agent that approves its own call over %s", (_, listen, hasTokens) => {
  it("is refused, also over HTTP/2 and for what is plain, and its operator is not", async () => {
    await using attack = await attacked(listen(), hasTokens);
    expect(await attack.asAgent(`bash ${attack.approving()}`)).toMatch(REFUSED);
    expect(await attack.asAgent(`bash ${attack.approving("--http2-prior-knowledge")}`)).toMatch(
      REFUSED,
    );
    const plain = attack
      .approving("-X GET")
      .replace(/'[^']*ResolveApproval'/, (target) =>
        target.replace(/breakglass\.v1.*/, "v1/turns/00000000-0000-7000-8000-000000000000/events'"),
      );
    expect(await attack.asAgent(`bash ${plain}`)).toContain("AGENT_NOT_ALLOWED");
    expect(await attack.waits()).toBe(true);
    expect(await runCommand(attack.approving())).toMatch(ALLOWED);
    expect(await attack.waits()).toBe(false);
  });

  it("is refused as a daemon that has shed its parents, its session and its environment", async () => {
    await using attack = await attacked(listen(), hasTokens);
    const file = join(folder, "answer");
    const daemon = `env -i PATH="$PATH" setsid sh -c "sleep 0.3; ${attack.approving().replaceAll('"', '\\"')} >${file}.part; mv ${file}.part ${file}" </dev/null >/dev/null 2>&1 &`;
    const answer = await attack.asAgent(
      `bash (${daemon}) ; while [ ! -e ${file} ]; do sleep 0.1; done; cat ${file}`,
    );
    expect(answer).toMatch(REFUSED);
    expect(await attack.waits()).toBe(true);
  });
});

/** The status of a call over a connection of its own. */
async function statusOf(url: string): Promise<number | undefined> {
  const headers = { "content-type": "application/json" };
  const target = `${url}/breakglass.v1.BreakglassService/ListSessions`;
  const call = request(target, { method: "POST", headers, agent: false });
  call.end("{}");
  const [response] = await once(call, "response");
  response.resume();
  return response.statusCode;
}

describe("an agent's request", () => {
  it("is not carried out that came over a connection which was handed from child to child", async () => {
    await using attack = await attacked("127.0.0.1:0");
    const chain = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${portOf(attack.url)}; printf "${attack.requestText}" >&3; f() { [ $1 -gt 0 ] && (f $(($1 - 1)) &); }; f 300; sleep 2'`;
    for (let round = 0; round < 3; round++)
      await attack.asAgent(`bash ${chain.replace("sleep 2", "exec 3>&-; sleep 2")}`);
    expect(await attack.waits()).toBe(true);
  });

  it("is not carried out whose sender is gone by then, whoever lives", async () => {
    await using attack = await attacked("127.0.0.1:0");
    const send = `printf "${attack.requestText}" >/dev/tcp/127.0.0.1/${portOf(attack.url)}`;
    // Each ends behind its last byte; the agent itself is killed behind some more.
    await attack.asAgent(`bash bash -c 'for i in $(seq 40); do (${send}) & done; wait'`);
    const sending = `child bash -c 'while :; do ${send}; done'`;
    for (let round = 0; round < 3; round++)
      await attack.asAgent(`${sending}\npause 200\nkill SIGKILL`);
    expect(await attack.waits()).toBe(true);
  });

  it("is refused while it floods the server, and its operator is served", async () => {
    await using attack = await attacked("127.0.0.1:0");
    const calls = `seq 40 | xargs -P 10 -I% ${attack.approving()}`;
    const flood = attack.asAgent(`bash ${calls} | grep -c 'an agent'`);
    const statuses = await Promise.all(Array.from({ length: 300 }, () => statusOf(attack.url)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await flood).not.toContain('"turn"');
    expect(await attack.waits()).toBe(true);
  });

  it("is told in the log, once a minute of each turn", async () => {
    await using attack = await attacked("127.0.0.1:0");
    await attack.asAgent(`bash ${attack.approving()}; ${attack.approving()}`);
    const told = await eventually(
      () => attack.server.log.filter((line) => line.includes("AGENT_NOT_ALLOWED")),
      (lines) => lines.length > 0,
    );
    expect(told).toHaveLength(1);
  });
});
