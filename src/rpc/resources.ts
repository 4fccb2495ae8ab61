import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Session, SessionSchema } from "../../gen/breakglass/v1/session_pb.ts";
import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { SessionRecord, TurnRecord } from "../store/store.ts";

/** A turn as callers see it. */
export function turnOf(record: TurnRecord): Turn {
  const { createTime, endTime, usage, attachments, sessionKey, ...same } = record;
  return create(TurnSchema, {
    ...same,
    ...(usage === undefined ? {} : { usage }),
    attachments: attachments.map(({ size, ...names }) => ({ ...names, size: BigInt(size) })),
    createTime: timestampFromMs(createTime),
    ...(endTime === undefined ? {} : { endTime: timestampFromMs(endTime) }),
  });
}

/** A session as callers see it: where it works on this machine is not their concern. */
export function sessionOf(record: SessionRecord): Session {
  const { createTime, lastActiveTime, usage, ...rest } = record;
  const { sessionKey, workspace, agentSessionId, changeCount, ...same } = rest;
  return create(SessionSchema, {
    ...same,
    ...(usage === undefined ? {} : { usage }),
    createTime: timestampFromMs(createTime),
    lastActiveTime: timestampFromMs(lastActiveTime),
  });
}
