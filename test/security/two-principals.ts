import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BreakglassClient } from "#client";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

/** A server that two use: one who takes what there is, and one who does what he is told. */
export interface TwoPrincipals extends AsyncDisposable {
  readonly server: TestServer;
  readonly greedy: BreakglassClient;
  readonly honest: BreakglassClient;
}

/** Starts it; `settings` are variables of its environment. */
export async function startForTwo(
  settings: Readonly<Record<string, string>> = {},
): Promise<TwoPrincipals> {
  await using cleanup = new AsyncDisposableStack();
  const { root } = cleanup.use(await createTestEnvironment());
  const tokens = join(root, "tokens");
  await writeFile(tokens, ["greedy", "honest"].map((name) => tokenLine(name, name)).join(""), {
    mode: 0o600,
  });
  const server = cleanup.use(
    await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens, ...settings }),
  );
  const clientOf = (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return cleanup.use(connect(server.url, headers)).client;
  };
  const [greedy, honest] = [clientOf("greedy"), clientOf("honest")];
  const owned = cleanup.move();
  return { server, greedy, honest, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
