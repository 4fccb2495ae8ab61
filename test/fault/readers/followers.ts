import { toBinary } from "@bufbuild/protobuf";
import { streamTurn } from "#client";
import { TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import { PROTOCOLS } from "../../support/protocols.ts";
import { isEnd } from "../log-rules.ts";
import { oneOf } from "../random.ts";
import type { CutFindings } from "./cut-reader.ts";
import type { TurnCopies } from "./turn-copies.ts";

/** They come back at once, like those beside them. */
const BACK_OFF = { firstMs: 1, longestMs: 50 };

/**
 * Follows a turn to its end with the client of the package, which comes back by itself. Resolves with the sequence of
 * the last event.
 *
 * @param url - Of a proxy that cuts its connections.
 */
export async function follow(
  url: string,
  turnId: string,
  copies: TurnCopies,
  findings: CutFindings,
): Promise<number> {
  const protocol = oneOf(PROTOCOLS);
  using connection = protocol.connect(url);
  const fault = (what: string) =>
    void findings.faults.push(`the client over ${protocol.name}, turn ${turnId}: ${what}`);
  let sequence = 0;
  let ended = false;
  try {
    const events = streamTurn(connection.client, { attach: { turnId } }, { backOff: BACK_OFF });
    for await (const event of events) {
      if (event.sequence === 0) continue;
      if (event.sequence !== sequence + 1) fault(`event ${event.sequence} came after ${sequence}`);
      sequence = event.sequence;
      ended = isEnd(event);
      findings.delivered++;
      if (!copies.agrees(turnId, sequence, toBinary(TurnEventSchema, event))) {
        fault(`event ${sequence} is not what it was before`);
      }
    }
    if (!ended) fault(`it left off after event ${sequence}`);
  } catch (error) {
    fault(`it gave up after event ${sequence}: ${(error as Error).message}`);
  }
  return sequence;
}
