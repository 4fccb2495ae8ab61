import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createBreakglassClient, readTurnEvents, refusalLines } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";

/** What became of a turn that the page ran. */
export interface Outcome {
  /** Every event that came: its sequence and its kind. */
  readonly events: readonly (readonly [sequence: number, kind: string | undefined])[];
  readonly turnId: string;
  /** What the page could learn of a failure. */
  readonly failure: string;
}

const TRANSPORTS = { connect: createConnectTransport, "gRPC-Web": createGrpcWebTransport };

/** The protocols of a browser. */
export type PageProtocol = keyof typeof TRANSPORTS;

/** Runs in the page: a whole turn, with the client that the commands use too. */
async function runInPage(
  baseUrl: string,
  protocol: PageProtocol,
  prompt: string,
  token: string,
): Promise<Outcome> {
  const transport = TRANSPORTS[protocol]({
    baseUrl,
    interceptors: [
      (next) => (request) => {
        if (token !== "") request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  const client = createBreakglassClient(transport);
  const seen: TurnEvent[] = [];
  let failure = "";
  try {
    for await (const event of readTurnEvents(client, { run: { prompt } })) seen.push(event);
  } catch (error) {
    failure = refusalLines(error)?.join("\n") ?? String(error);
  }
  return {
    events: seen.map(({ sequence, kind }) => [sequence, kind.case]),
    turnId: seen[0]?.turnId ?? "",
    failure,
  };
}

declare global {
  interface Window {
    runInPage: typeof runInPage;
  }
}

window.runInPage = runInPage;
