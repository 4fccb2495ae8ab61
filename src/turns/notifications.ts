import { type EventKind, isTerminal } from "../agent/agent.ts";
import type { Notification, NotificationKind } from "../store/outbox.ts";

/** The kinds of notifications that are sent. */
export type ToldKinds = ReadonlySet<NotificationKind>;

/**
 * What of events is to be told outside.
 *
 * @param firstSequence - Of the first event.
 * @param toldKinds - Undefined: nothing is.
 * @returns Undefined: nothing of these.
 */
export function notificationsOf(
  kinds: readonly EventKind[],
  firstSequence: number,
  toldKinds: ToldKinds | undefined,
): Notification[] | undefined {
  if (toldKinds === undefined || toldKinds.size === 0) return undefined;
  const notifications = kinds.flatMap((event, index) => {
    const kind = notificationKindOf(event);
    const isTold = kind !== undefined && toldKinds.has(kind);
    return isTold ? { kind, sequence: firstSequence + index } : [];
  });
  return notifications.length === 0 ? undefined : notifications;
}

function notificationKindOf(event: EventKind): NotificationKind | undefined {
  if (event.case === "approvalRequest") return "approval.requested";
  if (event.case === "approvalResolution") return "approval.resolved";
  return isTerminal(event) ? "turn.ended" : undefined;
}
