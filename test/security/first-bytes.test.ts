import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { makeCertificate } from "./certificate.ts";
import { type Opening, openingsFor } from "./openings.ts";
import { cutAt, everyByte, heldConnections, RawClient } from "./raw-client.ts";
import { startWitness } from "./witness.ts";

/** As soon as everybody else; a hundred times what it takes. */
const PROMPT_MS = 3000;
const LANES = 25;

/** In a process of its own: one that hangs is not to hang the test. */
async function startServer(isTls: boolean) {
  await using cleanup = new AsyncDisposableStack();
  const environment = cleanup.use(await createTestEnvironment());
  const tls = isTls ? makeCertificate(environment.root) : {};
  const server = cleanup.use(await startServeProcess({ ...environment.variables, ...tls }));
  const owned = cleanup.move();
  return { server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe("the first bytes of a connection", () => {
  it("that are P, PR or PRI and no more hold nobody up, and the server ends when told to", async () => {
    await using started = await startServer(false);
    const { server } = started;
    await using witness = startWitness(server.url);
    using clients = new DisposableStack();
    for (const first of ["P", "PR", "PRI"]) {
      const client = clients.use(await RawClient.open(server.url));
      await client.write([Buffer.from(first)]);
      const before = witness.answers;
      expect(
        await eventually(
          () => witness.answers,
          (now) => now > before + 5,
        ),
      ).toBeGreaterThan(before + 5);
    }
    expect(witness.faults).toEqual([]);
    expect(witness.longestMs).toBeLessThan(PROMPT_MS);
    await witness[Symbol.asyncDispose]();
    expect(await server.end("SIGTERM")).toBe(0);
  });

  describe.each([
    ["in clear text", false],
    ["with TLS", true],
  ])("to a server %s", (_how, isTls) => {
    let started: Awaited<ReturnType<typeof startServer>>;
    let server: ServeProcess;
    let openings: Opening[];
    beforeAll(async () => {
      started = await startServer(isTls);
      server = started.server;
      openings = await openingsFor(server.url);
    });
    afterAll(() => started[Symbol.asyncDispose]());

    /** Waits until nothing but what this test keeps open is left. */
    async function expectNothingLeft() {
      expect(
        await eventually(
          () => heldConnections(server.url),
          (open) => open === 0,
          20_000,
        ),
      ).toBe(0);
    }

    it("are answered the same wherever they are cut", async () => {
      {
        await using witness = startWitness(server.url);
        const tries = openings.flatMap((opening) => [
          ...Array.from(opening.bytes, (_, at) => ({
            opening,
            pieces: cutAt(opening.bytes, [at]),
          })),
          { opening, pieces: everyByte(opening.bytes) },
        ]);
        const faults: string[] = [];
        const lanes = Array.from({ length: LANES }, async () => {
          for (let next = tries.pop(); next !== undefined; next = tries.pop()) {
            faults.push(...(await faultsOf(next.opening, next.pieces)));
          }
        });
        await Promise.all(lanes);
        expect(faults).toEqual([]);
        expect(witness.faults).toEqual([]);
        expect(witness.longestMs).toBeLessThan(PROMPT_MS);
      }
      await expectNothingLeft();
    });

    it("hold nobody up and leave nothing behind, however they come and end", async () => {
      const anyTry = fc.record({
        of: fc.nat(openings.length - 1),
        cuts: fc.array(fc.nat(600), { maxLength: 12 }),
        upTo: fc.nat(600),
        ending: fc.constantFrom("none", "FIN", "RST"),
        pauseMs: fc.constantFrom(0, 1, 5),
      });
      {
        await using witness = startWitness(server.url);
        const property = fc.asyncProperty(
          fc.array(anyTry, { minLength: 10, maxLength: 30 }),
          async (tries) => {
            const clients = tries.map(async ({ of, cuts, upTo, ending, pauseMs }) => {
              using client = await RawClient.open(server.url);
              const bytes = openings[of]!.bytes.subarray(0, upTo);
              await client.write(cutAt(bytes, cuts), ending, pauseMs);
              if (ending === "FIN") {
                const { end } = await client.answer(PROMPT_MS);
                expect(end).toBeDefined();
              }
            });
            await Promise.all(clients);
            expect(witness.faults).toEqual([]);
          },
        );
        await fc.assert(property, { numRuns: 40 });
        expect(witness.longestMs).toBeLessThan(PROMPT_MS);
      }
      await expectNothingLeft();
    });

    async function faultsOf({ name, isRequest }: Opening, pieces: Uint8Array[]): Promise<string[]> {
      using client = await RawClient.open(server.url);
      await client.write(pieces);
      const where = `${name}, cut at ${pieces[0]!.length} of ${pieces.length}`;
      // The ClientHello of a client that says no more is waited for the rest of; what is no request ends at once.
      if (isTls && name === "a ClientHello") {
        const text = await eventually(
          () => client.text,
          (found) => found.length > 0,
          PROMPT_MS,
        );
        return text.charCodeAt(0) === 0x16 ? [] : [`${where}: no ServerHello`];
      }
      if (isRequest && !isTls) {
        const text = await eventually(() => client.text, isAnswer, PROMPT_MS);
        return isAnswer(text) ? [] : [`${where}: ${JSON.stringify(text)}`];
      }
      const { bytes, end } = await client.answer(PROMPT_MS);
      if (end === undefined) return [`${where}: the connection stays`];
      return isAnswer(bytes.toString("latin1")) ? [`${where}: it was answered`] : [];
    }
  });
});

/** The answer to a list of no sessions: its body is there, whatever is around it. */
function isAnswer(text: string): boolean {
  return text.includes("{}") && (text.startsWith("HTTP/1.1 200") || !text.startsWith("HTTP"));
}
