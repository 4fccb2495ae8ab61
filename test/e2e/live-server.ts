import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BreakglassClient } from "#client";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

type Request = MessageInitShape<typeof RunTurnRequestSchema>;

/** The real server that keeps its scripted agents, and a client of it. */
export interface LiveServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly client: BreakglassClient;
  /** Runs a turn to its end. */
  run(request: Request): Promise<TurnEvent[]>;
  /** Starts a turn; the reader is left with the server at the latest. */
  open(request: Request): EventReader;
  /** What the agent of a session was given, and which process played it. */
  played(sessionId: string): Promise<{ readonly prompt: string; readonly pid: number }[]>;
}

/** Starts it; `settings` are variables of the server's environment. */
export async function startLiveServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<LiveServer> {
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(
    await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "8", ...settings }),
  );
  const { client } = cleanup.use(connect(server.url));
  const owned = cleanup.move();
  return {
    server,
    client,
    run: (request) => collect(client.runTurn(request)),
    open: (request) => owned.use(new EventReader(client.runTurn(request))),
    async played(sessionId) {
      const { turns } = await client.listTurns({ sessionId });
      const streams = turns.map(({ turnId }) => collect(client.attachTurn({ turnId })));
      const sessions = (await Promise.all(streams)).flatMap((events) =>
        valuesOf(events, "session"),
      );
      return playedIn(server.root, sessions[0]?.agentSessionId ?? "");
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the agent said in a turn. */
export function said(events: readonly TurnEvent[]): string[] {
  return valuesOf(events, "text").map(({ text }) => text);
}

/** The process that a turn with the step "pid" says it ran in. */
export function pidOf(events: readonly TurnEvent[]): number {
  const [pid] = said(events).flatMap((text) => /^pid (\d+)$/.exec(text)?.slice(1) ?? []);
  if (pid === undefined) throw new Error(`no pid in ${JSON.stringify(said(events))}`);
  return Number(pid);
}

function playedIn(root: string, agentSessionId: string) {
  const directory = join(root, ".claude", "projects", "scripted");
  const name = readdirSync(directory).find((file) => file === `${agentSessionId}.jsonl`);
  if (name === undefined) return [];
  const lines = readFileSync(join(directory, name), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as { prompt: string; pid: number });
}
