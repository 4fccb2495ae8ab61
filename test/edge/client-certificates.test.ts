import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Certificate } from "../../src/certificate.ts";
import { type Listener, listen } from "../../src/edge/listener.ts";
import { ResetLimits } from "../../src/edge/reset-limits.ts";
import { createLog } from "../../src/log.ts";
import { makeCertificate } from "../security/certificate.ts";

let directory: string;
let listener: Listener;
let own: Certificate;
let known: Certificate;
let strange: Certificate;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "breakglass-"));
  [own, known, strange] = [make(), make(), make()];
  const log = createLog(() => {});
  const bounds = { maxConnections: 100, pingMs: 10_000, resets: new ResetLimits(() => {}) };
  const address = { host: "127.0.0.1", port: 0 };
  const encryption = { ...own, clientCa: known.cert };
  listener = await listen(address, encryption, bounds, log, () => (_request, response) => {
    response.end("hello");
  });
});
afterAll(async () => {
  listener.destroy();
  await listener.close();
  await rm(directory, { recursive: true });
});

function make(): Certificate {
  const { BREAKGLASS_TLS_CERT: cert, BREAKGLASS_TLS_KEY: key } = makeCertificate(directory);
  return { cert: readFileSync(cert!), key: readFileSync(key!) };
}

/** What a client with that certificate is answered; rejects where it is not let in. */
async function ask(client?: Certificate): Promise<string> {
  const { port } = listener;
  const asked = request({ host: "127.0.0.1", port, ca: own.cert, agent: false, ...client }).end();
  const [response] = await once(asked, "response");
  return text(response);
}

describe("a listener that asks for its clients' certificates", () => {
  it("lets in who has one of those that it was given", async () => {
    expect(await ask(known)).toBe("hello");
  });

  it("lets nobody in without one, or with another", async () => {
    await expect(ask()).rejects.toThrow();
    await expect(ask(strange)).rejects.toThrow();
  });

  it("asks for the same ones once it shows another certificate", async () => {
    own = make();
    listener.setCertificate(own);
    expect(await ask(known)).toBe("hello");
    await expect(ask()).rejects.toThrow();
    await expect(ask(strange)).rejects.toThrow();
  });
});
