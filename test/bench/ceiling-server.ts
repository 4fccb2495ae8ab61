/**
 * What the framework alone can do: streams the responses that a recorded turn becomes, ready-made, from an array. Prints
 * its address.
 */
import { createReadStream } from "node:fs";
import { createServer } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  BreakglassService,
  type RunTurnResponse,
  RunTurnResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../src/agent/claude/translation.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { translateLine } from "../support/translated-lines.ts";

const MIB = 1024 * 1024;
const responses = await readResponses(process.argv[2] ?? "");

const answer = connectNodeAdapter({
  routes: (router) => {
    router.service(BreakglassService, {
      async *runTurn() {
        yield* responses;
      },
    });
  },
  // As the service has them.
  readMaxBytes: 3 * MIB,
  writeMaxBytes: 4 * MIB,
});
const server = createServer(answer);
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as { port: number };
  process.stdout.write(`http://127.0.0.1:${port}\n`);
});

async function readResponses(path: string): Promise<RunTurnResponse[]> {
  const kinds: EventKind[] = [];
  const translation = new ClaudeTranslation({ agent: "breakglass", resumed: false });
  const lines = new ByteLines(MIB, {
    line: (bytes) => translateLine(translation, bytes, kinds),
    skipped: () => {},
  });
  for await (const chunk of createReadStream(path)) lines.push(chunk as Buffer);
  const turnId = "019f7d8e-5f5e-7000-8000-000000000001";
  const sessionId = "634b5942-1bb0-4605-aa4d-e331f23a2993";
  const createTime = timestampNow();
  return kinds.map((kind, index) =>
    create(RunTurnResponseSchema, {
      event: { sequence: index + 1, turnId, sessionId, createTime, kind },
    }),
  );
}
