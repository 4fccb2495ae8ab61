import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FakeOptions, StepDocument } from "#client/testing";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { type Fake, startFake } from "../../src/fake/fake.ts";
import { collect } from "../support/events.ts";
import { PROGRAM } from "../support/program.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";

/** A fake, and a client of it that comes back over nothing. */
export interface TestFake extends AsyncDisposable {
  readonly fake: Fake;
  readonly client: TestClient["client"];
  /** The lines of its log. */
  readonly log: readonly string[];
  /** Runs a turn to its end. */
  run(request: MessageInitShape<typeof RunTurnRequestSchema>): Promise<TurnEvent[]>;
}

/** Starts it in this process. */
export async function startTestFake(options: FakeOptions = {}): Promise<TestFake> {
  await using cleanup = new AsyncDisposableStack();
  const log: string[] = [];
  const fake = cleanup.use(await startFake({ log: (line) => void log.push(line), ...options }));
  const { client } = cleanup.use(connect(fake.url));
  const owned = cleanup.move();
  return {
    fake,
    client,
    log,
    run: (request) => collect(client.runTurn(request)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A script that has the same done whatever is asked. */
export function always(...steps: StepDocument[]) {
  return { turns: [{ steps }] };
}

/** Starts the command, in an environment of those variables and nothing else. */
export function startFakeProcess(
  args: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<ServeProcess> {
  return startServeProcess(variables, [], [PROGRAM, "fake", "--port", "0", ...args]);
}
