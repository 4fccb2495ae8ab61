import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errors } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RemoteKeys, USUAL_PACE } from "../../src/identity/issuer-keys.ts";
import { KeyCache } from "../../src/identity/key-cache.ts";
import { createLog } from "../../src/log.ts";
import { type Issuer, type SigningKey, signingKey, startIssuer } from "../support/issuer.ts";
import { eventually } from "../support/processes.ts";

let folder: string;
let log: string[];
const opened: RemoteKeys[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-keys-"));
  log = [];
});
afterEach(async () => {
  for (const keys of opened.splice(0)) keys.stop();
  await rm(folder, { recursive: true });
});

function open({ name: issuer, uri }: Pick<Issuer, "name" | "uri">, pace = {}): RemoteKeys {
  const cache = new KeyCache(join(folder, "keys"));
  const lines = createLog((line) => void log.push(line));
  const keys = new RemoteKeys({ issuer, uri }, cache, lines, { ...USUAL_PACE, ...pace });
  opened.push(keys);
  return keys;
}

const find = (keys: RemoteKeys, { kid, alg }: Pick<SigningKey, "kid" | "alg">) =>
  keys.find({ kid, alg }, { payload: "", signature: "" });
const unknown = errors.JWKSNoMatchingKey;
const first = await signingKey("first");
const second = await signingKey("second");

/** Resolves when what was fetched is on disk. */
async function kept(): Promise<string> {
  const directory = join(folder, "keys");
  const names = await eventually(
    () => readdir(directory).catch(() => [] as string[]),
    (found) => found.some((name) => name.endsWith(".json")),
  );
  return join(directory, names[0]!);
}

describe("an issuer's keys", () => {
  it("are kept on disk for its user alone, and known after a restart while the issuer is down", async () => {
    await using issuer = await startIssuer(first);
    await find(open(issuer), first);
    const path = await kept();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "keys"))).mode & 0o777).toBe(0o700);
    await issuer.stop();
    const again = open(issuer);
    await find(again, first);
    expect(
      await eventually(
        () => log.join(),
        (text) => text !== "",
      ),
    ).toContain("those before stay");
    await find(again, first);
  });

  it("are fetched once for a flood of keys that are not known, which hold up nobody who has a known one", async () => {
    await using issuer = await startIssuer(first);
    const keys = open(issuer);
    await find(keys, first);
    await kept();
    const strangers = Array.from({ length: 500 }, (_, index) =>
      find(keys, { kid: `stranger-${index}`, alg: "ES256" }),
    );
    await find(keys, first);
    for (const found of await Promise.allSettled(strangers)) {
      expect(found).toMatchObject({ status: "rejected", reason: expect.any(unknown) });
    }
    expect(issuer.fetches).toBe(1);
  });

  it("that are new are fetched when they are asked for, by one fetch for all that wait", async () => {
    await using issuer = await startIssuer(first);
    const keys = open(issuer, { cooldownMs: 0 });
    await find(keys, first);
    await kept();
    const { version } = keys;
    issuer.show(first, second);
    await Promise.all(Array.from({ length: 50 }, () => find(keys, second)));
    expect(issuer.fetches).toBe(2);
    expect(keys.version).toBe(version + 1);
  });

  it("are given up where the issuer does, by the next look", async () => {
    await using issuer = await startIssuer(first);
    const keys = open(issuer, { cooldownMs: 0, refreshMs: 20 });
    await find(keys, first);
    issuer.show(second);
    const lost = () =>
      find(keys, first).then(
        () => false,
        () => true,
      );
    expect(await eventually(lost, (isLost) => isLost)).toBe(true);
  });

  it("stay what they were while the issuer answers nothing, and who has one of them does not wait", async () => {
    await using issuer = await startIssuer(first);
    const keys = open(issuer, { cooldownMs: 0, withinMs: 1000 });
    await find(keys, first);
    issuer.answer(() => {});
    const waiting = find(keys, second).then(
      () => "found",
      () => "unknown",
    );
    const order = [waiting, find(keys, first).then(() => "known")];
    expect(await Promise.race(order)).toBe("known");
    expect(await waiting).toBe("unknown");
    await find(keys, first);
  });

  it.each<[string, Parameters<Issuer["answer"]>[0], RegExp]>([
    ["is larger than it may be", (_, response) => endless(response), /larger than/],
    [
      "leads somewhere else",
      (_, response) => response.writeHead(302, { location: "/others" }).end(),
      /redirect/,
    ],
    ["is an error", (_, response) => response.writeHead(500).end(), /status 500/],
    ["is no JSON", (_, response) => response.end("<html>"), /no JSON/],
    ["has no keys", (_, response) => response.end('{"keys":[]}'), /no public key/],
    [
      "has a secret for a key",
      (_, response) => response.end('{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"first"}]}'),
      /no public key/,
    ],
  ])("are none where what is answered %s", async (_, answer, words) => {
    await using issuer = await startIssuer(first);
    issuer.answer(answer);
    const keys = open(issuer);
    await expect(find(keys, first)).rejects.toBeInstanceOf(unknown);
    expect(log.join()).toMatch(words);
    expect(await readdir(folder)).toEqual([]);
  });

  it("that were kept count for nothing where they are another's, torn, or open to others", async () => {
    await using issuer = await startIssuer(first);
    await find(open(issuer), first);
    const path = await kept();
    const good = await readFile(path, "utf8");
    await issuer.stop();
    const spoiled = [
      [good.replace(issuer.name, "https://other.example"), 0o600],
      [good.slice(0, -20), 0o600],
      [good, 0o666],
    ] as const;
    for (const [text, mode] of spoiled) {
      await rm(path);
      await writeFile(path, text);
      await chmod(path, mode);
      log.length = 0;
      await expect(find(open(issuer), first)).rejects.toBeInstanceOf(unknown);
      expect(log.join()).toContain("kept keys of an issuer cannot be used");
    }
  });

  it("are not kept where there is no room for them, and used all the same", async () => {
    await using issuer = await startIssuer(first);
    await writeFile(join(folder, "keys"), "in the way");
    const keys = open(issuer);
    await find(keys, first);
    const told = await eventually(
      () => log.join(),
      (text) => text.includes("cannot be kept"),
    );
    expect(told).toContain("cannot be kept");
  });
});

function endless(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, " "))) {}
  };
  response.on("drain", more);
  more();
}
