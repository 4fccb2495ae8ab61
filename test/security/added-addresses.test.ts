import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { curl, openClient, runCommand } from "../support/operator.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const TOKEN = "alice-has-it";
/** Nobody has them: they are for documents. */
const [KNOWN, ADDED] = ["192.0.2.61", "192.0.2.62"];
const mayAdd =
  process.getuid?.() === 0 &&
  (await runCommand(`ip addr add ${ADDED}/32 dev lo && ip addr del ${ADDED}/32 dev lo && echo`)) !==
    "";
const why = mayAdd ? "" : " (not here: it takes root and ip)";

/** Sends a request from an address, which it takes away before the server can have read it. */
const PASSING = `import os, socket, sys
address, port, request = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.system("ip addr add " + address + "/32 dev lo")
sock = socket.socket()
sock.bind((address, 0))
sock.connect((address, port))
os.system("ip addr del " + address + "/32 dev lo")
sock.sendall(request.encode().decode("unicode_escape").encode())
os.system("sleep 2; ip addr add " + address + "/32 dev lo")
sock.settimeout(20)
print(sock.recv(65536).decode())
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-addresses-"));
});
afterEach(async () => {
  await runCommand(`ip addr del ${KNOWN}/32 dev lo; ip addr del ${ADDED}/32 dev lo`);
  await rm(folder, { recursive: true });
});

describe.skipIf(!mayAdd)(`an agent that gives the machine an address${why}`, () => {
  async function started() {
    const tokens = join(folder, "tokens");
    await writeFile(tokens, tokenLine(TOKEN, "alice"), { mode: 0o600 });
    const server = await startTestServer({
      BREAKGLASS_LISTEN: "0.0.0.0:0",
      BREAKGLASS_PLAINTEXT: "anywhere",
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_ALLOWED_HOSTS: `${KNOWN},${ADDED}`,
    });
    const { port } = new URL(server.url);
    const callFrom = (address: string) =>
      curl(`http://${address}:${port}`, {
        method: "ListSessions",
        body: "{}",
        more: `--interface ${address} -H 'authorization: Bearer ${TOKEN}'`,
      });
    // The machine's addresses are known from now on.
    await runCommand(`ip addr add ${KNOWN}/32 dev lo`);
    expect(await runCommand(callFrom(KNOWN))).toBe("{}");
    const asAgent = async (steps: string) => {
      using open = openClient(server.url.replace("0.0.0.0", "127.0.0.1"), TOKEN);
      const events = await collect(open.client.runTurn({ prompt: `${steps}\nresult` }));
      return valuesOf(events, "toolResult")
        .map(({ content }) => content)
        .join("");
    };
    return { server, port, callFrom, asAgent };
  }

  it("is refused from there at once", async () => {
    const { server, callFrom, asAgent } = await started();
    await using _ = server;
    expect(await asAgent(`bash ip addr add ${ADDED}/32 dev lo; ${callFrom(ADDED)}`)).toContain(
      "an agent",
    );
  });

  it("is refused from one that it has taken away again", async () => {
    const { server, port, asAgent } = await started();
    await using _ = server;
    await writeFile(join(folder, "passing.py"), PASSING);
    const request = [
      "POST /breakglass.v1.BreakglassService/ListSessions HTTP/1.1",
      `host: ${ADDED}:${port}`,
      `authorization: Bearer ${TOKEN}`,
      "content-type: application/json",
      "content-length: 2",
      "",
      "{}",
    ].join("\\r\\n");
    expect(
      await asAgent(`bash python3 ${folder}/passing.py ${ADDED} ${port} '${request}'`),
    ).toContain("an agent");
  });
});
