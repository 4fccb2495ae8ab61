import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";
import { agentsOf, commandOf, startServe } from "./told-server.ts";

describe.concurrent("SIGHUP", () => {
  const AGAIN = /a setting was read again.*TOKENS/;
  const STAYS =
    /cannot be read again: what it was before stays.*TOKENS.*"why":"BREAKGLASS_TOKENS_FILE/;
  const refused = { code: Code.Unauthenticated };

  it("has tokens read again: they hold for the next request, on open connections too, and turns go on", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "tokens");
    await writeFile(file, tokenLine("alpha", "alice"), { mode: 0o600 });
    await using server = await startServe(environment, { BREAKGLASS_TOKENS_FILE: file });
    using alice = connect(server.url, { authorization: "Bearer alpha" });
    using later = connect(server.url, { authorization: "Bearer beta" });
    await expect(later.client.listSessions({})).rejects.toMatchObject(refused);
    const gate = createGate(environment.root);
    await using reader = new EventReader(
      alice.client.runTurn({ prompt: script(gate.step, "say done") }),
    );
    await reader.until("session");

    await writeFile(file, tokenLine("beta", "bob"));
    await server.told("SIGHUP", AGAIN);
    await expect(alice.client.listSessions({})).rejects.toMatchObject(refused);
    expect(await later.client.listSessions({})).toMatchObject({ sessions: [] });
    await expect(reader.rest()).rejects.toMatchObject({ code: Code.Unavailable });
    await writeFile(file, tokenLine("beta", "bob") + tokenLine("gamma", "alice"));
    await server.told("SIGHUP", AGAIN);
    using again = connect(server.url, { authorization: "Bearer gamma" });
    const attached = again.client.attachTurn({ turnId: reader.seen[0]!.turnId });
    await using rest = new EventReader(attached);
    gate.open();
    await rest.until("result");
    await writeFile(file, tokenLine("beta", "bob"));
    await server.told("SIGHUP", AGAIN);

    const bad = [
      () =>
        writeFile(
          file,
          "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 bob\n",
        ),
      () => writeFile(file, ""),
      () => rm(file),
      () => execFileSync("mkfifo", ["-m", "600", file]),
      () =>
        rm(file)
          .then(() => writeFile(file, tokenLine("gamma", "mallory"), { mode: 0o666 }))
          .then(() => execFileSync("chmod", ["666", file])),
    ];
    for (const edit of bad) {
      await edit();
      await server.told("SIGHUP", STAYS);
      expect(await later.client.listSessions({})).toMatchObject({ sessions: [] });
    }
  });

  it("has rules read again: for the next process, also of a session that has one", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "rules");
    await writeFile(file, "deny Read\n");
    await using server = await startServe(environment, {
      BREAKGLASS_RULES_FILE: file,
      BREAKGLASS_MAX_WARM_PROCESSES: "4",
    });
    using connection = connect(server.url);
    const gate = createGate(environment.root);
    const agents = () => agentsOf(environment);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: script(gate.step, "say done") }));
    const { sessionId } = await reader.until("session");
    const [before] = agents();
    expect(commandOf(before!)).toContain('"deny":["Read"]');

    // The same rules again, in other words.
    await writeFile(file, "# nobody\ndeny Read\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    gate.open();
    await reader.until("result");
    await collect(client.runTurn({ sessionId, prompt: "say same" }));
    expect(agents()).toEqual([before]);

    await writeFile(file, "deny Read\ndeny Bash(rm:*)\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    await collect(client.runTurn({ sessionId, prompt: "say new" }));
    const [after] = await eventually(agents, (pids) => pids.length === 1);
    expect(after).not.toBe(before);
    expect(commandOf(after!)).toContain('"deny":["Read","Bash(rm:*)"]');

    await writeFile(file, "forbid everything\n");
    await server.told("SIGHUP", /cannot be read again.*RULES/);
    await collect(client.runTurn({ prompt: "say other" }));
    expect(
      agents()
        .map(commandOf)
        .every((command) => command.includes("Bash(rm:*)")),
    ).toBe(true);
  });

  it("has rules read again: for those that wait for a session too", async () => {
    await using environment = await createTestEnvironment();
    const file = join(environment.root, "rules");
    await writeFile(file, "deny Read\n");
    await using server = await startServe(environment, {
      BREAKGLASS_RULES_FILE: file,
      BREAKGLASS_MAX_WARM_PROCESSES: "4",
      BREAKGLASS_SPARE_PROCESSES: "1",
    });
    const agents = () => agentsOf(environment);
    const [spare] = await eventually(agents, (pids) => pids.length === 1);
    expect(commandOf(spare!)).toContain('"deny":["Read"]');
    await writeFile(file, "deny Write\n");
    await server.told("SIGHUP", /a setting was read again.*RULES/);
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say new" }));
    // The session's own, and the next one that waits.
    const both = await eventually(agents, (pids) => pids.length === 2 && !pids.includes(spare!));
    expect(both.map(commandOf)).toEqual([
      expect.stringContaining('"deny":["Write"]'),
      expect.stringContaining('"deny":["Write"]'),
    ]);
  });

  it("has the certificate read again: for the next connection", async () => {
    await using environment = await createTestEnvironment();
    const { root } = environment;
    const [cert, key] = [join(root, "cert.pem"), join(root, "key.pem")];
    const make = (name: string) => {
      const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
      execFileSync(
        "openssl",
        ["req", "-x509", "-subj", `/CN=${name}`, ...kind, "-keyout", key, "-out", cert],
        { stdio: "pipe" },
      );
    };
    make("first");
    await using server = await startServe(environment, {
      BREAKGLASS_TLS_CERT: cert,
      BREAKGLASS_TLS_KEY: key,
    });
    const open = async () => {
      const socket = connectTls({
        port: Number(new URL(server.url).port),
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      });
      await once(socket, "secureConnect");
      return socket;
    };
    const first = await open();
    expect(first.getPeerCertificate().subject.CN).toBe("first");
    make("second");
    await server.told("SIGHUP", /a setting was read again.*TLS/);
    const second = await open();
    expect(second.getPeerCertificate().subject.CN).toBe("second");
    expect(second.alpnProtocol).toBe("h2");
    expect(first.closed).toBe(false);
    await writeFile(cert, "no certificate");
    await server.told("SIGHUP", /cannot be read again.*TLS/);
    const third = await open();
    expect(third.getPeerCertificate().subject.CN).toBe("second");
    for (const socket of [first, second, third]) socket.destroy();
  });
});
