import { describeAgents } from "./contract/agents.ts";
import { describeAudit } from "./contract/audit.ts";
import { describeChanges } from "./contract/changes.ts";
import { describeCommands } from "./contract/commands.ts";
import { describeDays } from "./contract/days.ts";
import { describeEvents } from "./contract/events.ts";
import { describeHomes } from "./contract/homes.ts";
import { describeLeases } from "./contract/leases.ts";
import { describeOutbox } from "./contract/outbox.ts";
import { describeOwnTurns } from "./contract/own-turns.ts";
import { describeQuotas } from "./contract/quotas.ts";
import { describeRemoval } from "./contract/removal.ts";
import { describeRequests } from "./contract/requests.ts";
import { describeRestarts } from "./contract/restarts.ts";
import { describeSessions } from "./contract/sessions.ts";
import { describeSharedTurns } from "./contract/shared-turns.ts";
import { describeShares } from "./contract/shares.ts";
import { opening, type StoreUnderTest } from "./contract/store-under-test.ts";
import { describeTranscripts } from "./contract/transcripts.ts";
import { describeTurnChanges } from "./contract/turn-changes.ts";
import { describeTurnLists } from "./contract/turn-lists.ts";
import { describeTurns } from "./contract/turns.ts";

/** What turns rely on, whatever keeps them. */
export function describeStore(openStore: () => Promise<StoreUnderTest>): void {
  const open = opening(openStore);
  describeTurns(open);
  describeEvents(open);
  describeRequests(open);
  describeSessions(open);
  describeTurnLists(open);
  describeShares(open);
  describeSharedTurns(open);
  describeRemoval(open);
  describeDays(open);
  describeQuotas(open);
  describeChanges(open);
  describeTurnChanges(open);
  describeCommands(open);
  describeOutbox(open);
  describeRestarts(open);
  describeOwnTurns(open);
  describeAgents(open);
  describeAudit(open, openStore);
  describeLeases(openStore);
  describeHomes(openStore);
  describeTranscripts(openStore);
}
