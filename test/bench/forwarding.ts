import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { AttachTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { freePort } from "../support/free-port.ts";
import type { Figure } from "./figure.ts";
import { FrameConnection } from "./frame-connection.ts";
import { processorMs } from "./processor.ts";
import { startProgram } from "./program.ts";

/** Of a usual event. */
export const EVENT_BYTES = 336;

const STREAMS = 1000;
const CONNECTIONS = 10;
const EVENTS_PER_SECOND = 10;
const WARM_SECONDS = 4;
const SECONDS = 10;
const LIMIT_US = 20;
const ATTACH = "/breakglass.v1.BreakglassService/AttachTurn";

/** What it takes of a processor to hand an event on: a thousand streams of turns that are at home on another replica. */
export async function measureForwarding(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const secret = join(root, "secret");
  await writeFile(secret, randomBytes(32).toString("hex"), { mode: 0o600 });
  const port = String(await freePort());
  const rate = String(EVENTS_PER_SECOND);
  cleanup.use(await startProgram(["test/bench/forwarding-home.ts", secret, port, rate]));
  const replica = cleanup.use(
    await startProgram(["test/bench/forwarding-replica.ts", `127.0.0.1:${port}`], {
      HOME: root,
      BREAKGLASS_LISTEN: "127.0.0.1:0",
      BREAKGLASS_DATA_DIR: join(root, "state"),
      // No agent is started.
      BREAKGLASS_PERMISSION_MODE: "ask",
      BREAKGLASS_CLUSTER_LISTEN: `127.0.0.1:${await freePort()}`,
      BREAKGLASS_CLUSTER_SECRET_FILE: secret,
    }),
  );
  let events = 0;
  for (let n = 0; n < CONNECTIONS; n++) {
    const connection = new FrameConnection(replica.firstLine);
    cleanup.defer(() => connection.close());
    for (let stream = 0; stream < STREAMS / CONNECTIONS; stream++) {
      const message = toBinary(
        AttachTurnRequestSchema,
        create(AttachTurnRequestSchema, { turnId: randomUUID() }),
      );
      connection.call(ATTACH, message, { message: () => void events++, end: () => {} });
    }
  }
  await delay(WARM_SECONDS * 1000);
  const [eventsBefore, before] = [events, processorMs(replica.pid)];
  await delay(SECONDS * 1000);
  const handedOn = events - eventsBefore;
  const microseconds = ((processorMs(replica.pid) - before) * 1000) / handedOn;
  return [
    {
      figure: `event that is handed on, ${STREAMS} streams at ${EVENTS_PER_SECOND}/s`,
      value: microseconds,
      unit: "µs",
      limit: LIMIT_US,
      bar: { atMost: 1 },
    },
    {
      figure: "events handed on a second",
      value: handedOn / SECONDS,
      unit: "/s",
      limit: STREAMS * EVENTS_PER_SECOND,
    },
  ];
}
