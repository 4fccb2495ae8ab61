import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CALLER_HEADER, readCaller, writeCaller } from "../../src/cluster/forwarded-caller.ts";
import { startScriptedHome } from "../cluster/scripted-home.ts";
import { startTwoReplicas, type TwoReplicas } from "../cluster/two-replicas.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { runCommand } from "../support/operator.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { connect } from "../support/protocols.ts";
import { tokenLine } from "../support/test-server.ts";

const ADMIN = { name: "root", roles: ["admin"], means: "token", address: "1.2.3.4" } as const;
const forged = { [CALLER_HEADER]: writeCaller(ADMIN) };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

let directory: string;
let settings: Record<string, string>;
let replicas: TwoReplicas;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  const file = join(directory, "tokens");
  const lines = [
    tokenLine("alpha", "alice"),
    tokenLine("beta", "bob"),
    tokenLine("gamma", "vera roles=viewer"),
    tokenLine("delta", "ada roles=admin"),
  ];
  await writeFile(file, lines.join(""), { mode: 0o600 });
  settings = { BREAKGLASS_TOKENS_FILE: file };
  replicas = await startTwoReplicas(settings);
});
afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

describe("who makes a call that is handed on", () => {
  it("is who was let in, at the home too: in its record, its audit, and in what it refuses", async () => {
    using alice = connect(replicas.first.url, bearer("alpha"));
    using bob = connect(replicas.first.url, bearer("beta"));
    using vera = connect(replicas.first.url, bearer("gamma"));
    using admin = connect(replicas.home.url, bearer("delta"));
    const gate = createGate(replicas.home.root);
    const run = { sessionId: randomUUID(), prompt: script("say one", gate.step) };
    await using reader = new EventReader(alice.client.runTurn(run));
    const { turnId } = await reader.until("text");
    const unseen = bob.client.cancelTurn({ turnId });
    await expect(unseen).rejects.toMatchObject({ code: Code.NotFound });
    const unable = vera.client.cancelTurn({ turnId });
    await expect(unable).rejects.toMatchObject({ code: Code.PermissionDenied });
    await alice.client.cancelTurn({ turnId });
    const { turn } = await admin.client.getTurn({ turnId });
    expect(turn).toMatchObject({ sessionPrincipal: "alice" });
    const kinds: unknown[] = [];
    for await (const { records } of admin.client.exportAudit({})) {
      for (const record of records) kinds.push(JSON.parse(record));
    }
    const canceled = kinds.find((record) => (record as { kind: string }).kind === "turn_canceled");
    expect(canceled).toMatchObject({
      who: { name: "alice", means: "token", address: "127.0.0.1" },
    });
  });

  it("is not who a client says: the header is not heeded where clients call, nor handed on", async () => {
    for (const url of [replicas.first.url, replicas.home.url]) {
      using nobody = connect(url, forged);
      const refused = nobody.client.listSessions({});
      await expect(refused).rejects.toMatchObject({ code: Code.Unauthenticated });
    }
    await using home = await startScriptedHome(settings);
    const told: unknown[] = [];
    home.answer = (stream, request) => {
      told.push(request.headers);
      stream.close();
    };
    using alice = connect(home.first.url, { ...bearer("alpha"), cookie: "a=b", ...forged });
    await expect(alice.client.cancelTurn({ turnId: randomUUID() })).rejects.toThrow();
    const [headers] = told as [Record<string, string>];
    expect(readCaller(headers[CALLER_HEADER])).toMatchObject({
      ...{ name: "alice", roles: ["operator"], means: "token", address: "127.0.0.1" },
    });
    // What let her in stays where she was let in.
    expect(headers).not.toHaveProperty("authorization");
    expect(headers).not.toHaveProperty("cookie");
  });
});

describe("an agent that has come by what replicas know each other by", () => {
  it("is none of them: its calls are refused, whoever it says that it is", async () => {
    const { home, secret } = replicas;
    const program = fileURLToPath(new URL("../fixtures/replica-caller.ts", import.meta.url));
    const command = [process.execPath, ...NODE_FLAGS, program, secret, home.address];
    expect(await runCommand(command.join(" "))).toBe("status 0\n");
    using alice = connect(home.url, bearer("alpha"));
    const prompt = script(`bash ${command.join(" ")}`);
    const events = await collect(alice.client.runTurn({ prompt }));
    const outputs = valuesOf(events, "toolResult").map(({ content }) => content);
    expect(JSON.stringify(outputs)).toContain(`status ${Code.PermissionDenied}`);
  });
});

describe("the header of a caller", () => {
  it("says who they are, whatever their name", () => {
    for (const name of ["alice", "ÄÖ", "x".repeat(256)]) {
      const caller = { ...ADMIN, name };
      expect(readCaller(writeCaller(caller))).toEqual(caller);
    }
  });

  it.each([
    ["nothing", undefined],
    ["what is no base64", "%%%"],
    ["no JSON", Buffer.from("{").toString("base64url")],
    ["no name", Buffer.from('{"roles":[]}').toString("base64url")],
    ["a name with a space", writeCaller({ ...ADMIN, name: "a probe" })],
    ["another role", writeCaller({ ...ADMIN, roles: ["god" as "admin"] })],
    ["other means", writeCaller({ ...ADMIN, means: "none" as "token" })],
    ["two of them", [writeCaller(ADMIN), writeCaller(ADMIN)]],
  ])("is of nobody with %s", (_what, value) => {
    expect(readCaller(value)).toBeUndefined();
  });
});
