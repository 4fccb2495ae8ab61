import { ConversationsTable } from "./conversations-table.ts";
import { EventsTable } from "./events-table.ts";
import { ProcessesTable } from "./processes-table.ts";
import { RequestsTable } from "./requests-table.ts";
import { SessionsTable } from "./sessions-table.ts";
import { SharesTable } from "./shares-table.ts";
import type { Statements } from "./statements.ts";
import { TurnLists } from "./turn-lists.ts";
import { TurnsTable } from "./turns-table.ts";

/** The tables of one connection. Each knows its own rows; what concerns several is done in `methods.ts` and what it names. */
export interface Tables {
  readonly sessions: SessionsTable;
  readonly turns: TurnsTable;
  readonly turnLists: TurnLists;
  readonly events: EventsTable;
  readonly requests: RequestsTable;
  readonly conversations: ConversationsTable;
  readonly processes: ProcessesTable;
  readonly shares: SharesTable;
}

export function createTables(statements: Statements): Tables {
  return {
    sessions: new SessionsTable(statements),
    turns: new TurnsTable(statements),
    turnLists: new TurnLists(statements),
    events: new EventsTable(statements),
    requests: new RequestsTable(statements),
    conversations: new ConversationsTable(statements),
    processes: new ProcessesTable(statements),
    shares: new SharesTable(statements),
  };
}
