import { AuditTable } from "./audit-table.ts";
import { ConversationsTable } from "./conversations-table.ts";
import { DaysTable } from "./days-table.ts";
import { EventsTable } from "./events-table.ts";
import { OutboxTable } from "./outbox-table.ts";
import { ProcessesTable } from "./processes-table.ts";
import { PromptIndex } from "./prompt-index.ts";
import { RequestsTable } from "./requests-table.ts";
import { SessionsTable } from "./sessions-table.ts";
import { SharesTable } from "./shares-table.ts";
import type { Statements } from "./statements.ts";
import { TranscriptsTable } from "./transcripts-table.ts";
import { TurnChangeLists } from "./turn-change-lists.ts";
import { TurnChangesTable } from "./turn-changes-table.ts";
import { TurnLists } from "./turn-lists.ts";
import { TurnsTable } from "./turns-table.ts";

/** The tables of one connection. Each knows its own rows; what concerns several is done in `methods.ts` and what it names. */
export interface Tables {
  readonly sessions: SessionsTable;
  readonly turns: TurnsTable;
  readonly turnLists: TurnLists;
  readonly turnChanges: TurnChangesTable;
  readonly turnChangeLists: TurnChangeLists;
  readonly prompts: PromptIndex;
  readonly events: EventsTable;
  readonly requests: RequestsTable;
  readonly conversations: ConversationsTable;
  readonly processes: ProcessesTable;
  readonly days: DaysTable;
  readonly outbox: OutboxTable;
  readonly audit: AuditTable;
  readonly shares: SharesTable;
  readonly transcripts: TranscriptsTable;
}

export function createTables(statements: Statements): Tables {
  const turnChanges = new TurnChangesTable(statements);
  return {
    sessions: new SessionsTable(statements),
    turns: new TurnsTable(statements),
    turnLists: new TurnLists(statements),
    turnChanges,
    turnChangeLists: new TurnChangeLists(statements, turnChanges),
    prompts: new PromptIndex(statements),
    events: new EventsTable(statements),
    requests: new RequestsTable(statements),
    conversations: new ConversationsTable(statements),
    processes: new ProcessesTable(statements),
    shares: new SharesTable(statements),
    transcripts: new TranscriptsTable(statements),
    days: new DaysTable(statements),
    outbox: new OutboxTable(statements),
    audit: new AuditTable(statements),
  };
}
