import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClaudeRecords } from "../../src/agent/claude/claude-records.ts";
import { storageFailed } from "../../src/errors.ts";
import { TreeRemovals } from "../../src/files/tree-removals.ts";
import { createLog } from "../../src/log.ts";
import { openSqliteFile } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { TranscriptSegment } from "../../src/store/transcripts.ts";
import type { TranscriptSurroundings } from "../../src/turns/keep-transcript.ts";
import type { MovedSession } from "../../src/turns/session-moves.ts";
import { TranscriptMoves } from "../../src/turns/transcript-moves.ts";
import { owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { DrivenAgent, drivenAgents } from "./driven-agent.ts";
import { TERMS } from "./two-servers.ts";

/** A server's part of what is kept of conversations: its disk, and the way to the store, which can fail. */
export interface KeepingServer {
  readonly moves: TranscriptMoves;
  readonly surroundings: TranscriptSurroundings;
  readonly store: Store;
  /** The messages and fields of its log. */
  readonly log: Record<string, unknown>[];
  readonly config: string;
  /** What it has written to the store. */
  readonly segments: TranscriptSegment[];
  /** How many further segments the store takes before it is away. Undefined: it stays. */
  leftSegments: number | undefined;
  /** Is done before the store gets a segment. */
  onSegment: () => Promise<void>;
  /** The store answers nothing but that it is away. */
  isAway: boolean;
  /** How often it was told so. */
  readonly refused: number;
  /** Where a session works there, and where its agent keeps its conversations. */
  place(): { readonly workspace: string; readonly project: string };
}

/** A session at home on the first server, and its conversation's file there. */
export interface KeptSession extends MovedSession {
  /** The file's path. */
  readonly file: string;
  /** Writes a conversation of lines; answers it. */
  write(...lines: string[]): Promise<Buffer>;
}

export interface KeptConversations extends AsyncDisposable {
  readonly one: KeepingServer;
  readonly other: KeepingServer;
  /** Opens a session at home on `one`. */
  openSession(): Promise<KeptSession>;
  /** The session as it is to be on the other server, and where its conversation's file is to be there. */
  moved(session: MovedSession, server?: KeepingServer): MovedSession & { readonly file: string };
}

/** Starts what two servers have of it, on one store. */
export async function startKeeping(): Promise<KeptConversations> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-kept-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const file = await openSqliteFile(join(root, "breakglass.db"));
  cleanup.defer(() => file.close());
  const start = async (name: string) => {
    const server = keepingServer(await file.openStore(name, TERMS), join(root, name));
    cleanup.defer(() => server.moves.drain(0));
    return server;
  };
  const [one, other] = [await start("one"), await start("other")];
  const ended = cleanup.move();
  return {
    ...{ one, other },
    async openSession() {
      const { workspace, project } = one.place();
      const conversationId = randomUUID();
      const newSession = { ...turnStart().newSession, workspace, agentSessionId: conversationId };
      const store = owned(one.store);
      const { turn, session } = await store.createTurn(turnStart({ newSession }));
      const end = { turnId: turn.turnId, firstSequence: 1, events: [new Uint8Array(1)], time: 2 };
      await store.append({ ...end, end: SUCCEEDED });
      const path = join(project, `${conversationId}.jsonl`);
      await mkdir(project, { recursive: true });
      const { sessionId, sessionKey, agentKind } = session;
      return {
        ...{ sessionId, sessionKey, agentKind, conversationId, workspace, file: path },
        async write(...lines) {
          const text = Buffer.from([lineOf(workspace), ...lines].join(""));
          await writeFile(path, text);
          return text;
        },
      };
    },
    moved(session, server = other) {
      const { workspace, project } = server.place();
      const path = join(project, `${session.conversationId}.jsonl`);
      const { sessionId, sessionKey, agentKind, conversationId } = session;
      return { sessionId, sessionKey, agentKind, conversationId, workspace, file: path };
    },
    [Symbol.asyncDispose]: () => ended.disposeAsync(),
  };
}

/** A line of a conversation. */
export function lineOf(cwd: string, more: Record<string, unknown> = {}): string {
  return `${JSON.stringify({ cwd, ...more })}\n`;
}

/** A line of so many bytes that cannot be made shorter by much. */
export function longLine(bytes: number): string {
  return `${randomBytes(bytes / 2)
    .toString("hex")
    .slice(0, bytes - 1)}\n`;
}

/** A file's bytes. Undefined: there is none. */
export function fileOf(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(() => undefined);
}

/** What is in a directory; nothing where there is none. */
export function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

function keepingServer(opened: Store, root: string): KeepingServer {
  const config = join(root, ".claude");
  const log: Record<string, unknown>[] = [];
  const agent = Object.assign(new DrivenAgent(), {
    records: new ClaudeRecords(config, new TreeRemovals(), undefined),
  });
  const segments: TranscriptSegment[] = [];
  const way = {
    ...{ isAway: false, refused: 0, leftSegments: undefined as number | undefined },
    onSegment: async () => {},
  };
  const refuse = () => {
    way.refused++;
    throw storageFailed("it is away");
  };
  const store = new Proxy(opened, {
    get(_, name: keyof Store) {
      const member = opened[name];
      if (typeof member !== "function") return member;
      return async (...args: unknown[]) => {
        if (name === "recordSegment") await way.onSegment();
        if (name === "recordSegment" && way.leftSegments !== undefined) {
          if (way.leftSegments-- <= 0) refuse();
        }
        if (way.isAway) refuse();
        if (name === "recordSegment") segments.push(args[0] as TranscriptSegment);
        return (member as (...args: unknown[]) => unknown)(...args);
      };
    },
  });
  const agents = drivenAgents(agent);
  const surroundings = { store, agents, log: createLog((line) => void log.push(JSON.parse(line))) };
  return Object.assign(way, {
    ...{ moves: new TranscriptMoves(surroundings), surroundings, store, log, config, segments },
    place() {
      const workspace = join(root, "sessions", randomUUID());
      const name = workspace.replace(/[^a-zA-Z0-9]/g, "-");
      return { workspace, project: join(config, "projects", name) };
    },
  });
}
