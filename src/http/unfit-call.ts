import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { HttpRequest } from "../edge/http.ts";
import { wireFormatOf } from "../rpc/wire-format.ts";
import { Problem } from "./problem.ts";

/** What streams are written in, where a call of theirs has no envelopes. */
const ACCEPT_POST =
  "application/connect+json, application/connect+proto, application/grpc-web+proto, application/grpc";

/** What does in plain HTTP what a method does that streams. */
const INSTEAD: Readonly<Record<string, string>> = {
  RunTurn: "POST the same JSON to /v1/turns",
  AttachTurn: "GET /v1/turns/{turn_id}/events?after_sequence=N",
  WatchSession: "use a client of gRPC, gRPC-Web or Connect",
  WatchTurns: "use a client of gRPC, gRPC-Web or Connect",
  ExportAudit: "use a client of gRPC, gRPC-Web or Connect",
};

/**
 * Why a call cannot be answered: it is of a method that streams, and is written as if that answered once, as one does first
 * with curl. The problem says what to do. Undefined: it can, or is none.
 */
export function unfitCallOf(path: string, { method, headers }: HttpRequest): Problem | undefined {
  const instead = STREAMING.get(path);
  if (instead === undefined || method !== "POST") return undefined;
  const format = wireFormatOf(headers["content-type"] ?? null);
  if (format === undefined || format.isEnveloped) return undefined;
  const detail = `this method streams, which ${format.mediaType} cannot: ${instead}; or call it with application/connect+json, whose messages stand in envelopes`;
  return new Problem(415, detail, { "accept-post": ACCEPT_POST });
}

const STREAMING: ReadonlyMap<string, string> = new Map(
  BreakglassService.methods
    .filter(({ methodKind }) => methodKind === "server_streaming")
    .map(({ parent, name }) => [`/${parent.typeName}/${name}`, INSTEAD[name] ?? ""]),
);
