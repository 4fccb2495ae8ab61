import { AuditTable } from "./audit-table.ts";
import { ConversationsTable } from "./conversations-table.ts";
import { DaysTable } from "./days-table.ts";
import { EventsTable } from "./events-table.ts";
import { Homes } from "./homes.ts";
import { LeasesTable } from "./leases-table.ts";
import { NewsTable } from "./news-table.ts";
import { OutboxTable } from "./outbox-table.ts";
import { ProcessesTable } from "./processes-table.ts";
import { RequestsTable } from "./requests-table.ts";
import { SessionLists } from "./session-lists.ts";
import { SessionsTable } from "./sessions-table.ts";
import { SharesTable } from "./shares-table.ts";
import type { Statements } from "./statements.ts";
import { TranscriptsTable } from "./transcripts-table.ts";
import { TurnChangeLists } from "./turn-change-lists.ts";
import { TurnChangesTable } from "./turn-changes-table.ts";
import { TurnLists } from "./turn-lists.ts";
import { type AppendedTurn, TurnsTable } from "./turns-table.ts";

/** The tables as one connection sees them. Each knows its own rows; what concerns several is done in `methods.ts` and what it names. */
export interface Tables {
  readonly leases: LeasesTable;
  readonly homes: Homes;
  readonly sessions: SessionsTable;
  readonly sessionLists: SessionLists;
  readonly turns: TurnsTable;
  readonly turnLists: TurnLists;
  readonly turnChanges: TurnChangesTable;
  readonly turnChangeLists: TurnChangeLists;
  readonly news: NewsTable;
  readonly events: EventsTable;
  readonly requests: RequestsTable;
  readonly conversations: ConversationsTable;
  readonly processes: ProcessesTable;
  readonly days: DaysTable;
  readonly outbox: OutboxTable;
  readonly audit: AuditTable;
  readonly shares: SharesTable;
  readonly transcripts: TranscriptsTable;
  /**
   * What is known of turns that this connection has appended to, under the lease that they were recorded under: nobody else
   * writes for them while that holds.
   */
  readonly appended: Map<string, AppendedTurn>;
  /** Has something written in a transaction, and takes it back. */
  undone(write: () => Promise<unknown>): Promise<void>;
}

/** @param clock - As in `LeasesTable`. */
export function createTables(statements: Statements, clock?: () => number): Tables {
  const turnChanges = new TurnChangesTable(statements);
  const tables: Tables = {
    async undone(write) {
      await statements.exec("SAVEPOINT trial");
      await write();
      await statements.exec("ROLLBACK TO SAVEPOINT trial");
      forgetWritten(tables);
    },
    leases: new LeasesTable(statements, clock),
    homes: new Homes(statements),
    sessions: new SessionsTable(statements),
    sessionLists: new SessionLists(statements),
    turns: new TurnsTable(statements),
    turnLists: new TurnLists(statements),
    turnChanges,
    turnChangeLists: new TurnChangeLists(statements, turnChanges),
    news: new NewsTable(statements),
    events: new EventsTable(statements),
    requests: new RequestsTable(statements),
    conversations: new ConversationsTable(statements),
    processes: new ProcessesTable(statements),
    shares: new SharesTable(statements),
    transcripts: new TranscriptsTable(statements),
    days: new DaysTable(statements),
    outbox: new OutboxTable(statements),
    audit: new AuditTable(statements),
    appended: new Map(),
  };
  return tables;
}

/** What was written last may be undone: nothing that was made of it is relied on. */
export function forgetWritten({ leases, audit, appended }: Tables): void {
  leases.forget();
  audit.forget();
  appended.clear();
}
