import { randomUUID } from "node:crypto";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { AgentRun, AgentTurn, EventKind, OwnWork, SpareReservation } from "../agent.ts";
import { AgentMemory } from "../agent-memory.ts";
import { noticeEvent } from "../events.ts";
import { IdleEvents } from "../idle-events.ts";
import { LeftEvents } from "../left-events.ts";
import { OwnWorkOffers } from "../own-work-offers.ts";
import type { ProcessCounts } from "../process-counts.ts";
import { type Fate, type PoolLimits, ProcessPool } from "../process-pool.ts";
import { type SpareSurroundings, Spares } from "../spares.ts";
import { ClaudeRun, type RunSurroundings } from "./claude-run.ts";
import type { Opening } from "./command-line.ts";
import type { Conversation, ConversationKeeper } from "./conversation.ts";
import {
  type ConversationOpening,
  type ConversationSurroundings,
  openConversation,
} from "./open-conversation.ts";
import type { ConversationSource } from "./prompt-delivery.ts";

/** 2.1.330 answers after 0.4 s on an idle machine, and after several where eight start at once. */
const INITIALIZE_MS = 60_000;

/** What the processes of the CLI are started and kept with. */
export interface SessionSurroundings extends ConversationSurroundings {
  readonly limits: PoolLimits;
  readonly spares: Pick<SpareSurroundings<Conversation>, "plan">;
  /** The CLI's executable, as it is told of. */
  readonly command: string;
  /** Where the CLI keeps its conversations. */
  readonly directory: string;
}

/** The conversations with the CLI's processes: each session's own, those that wait for one, and the runs in them. */
export class SessionProcesses implements ConversationSource, ConversationKeeper {
  readonly #surroundings: SessionSurroundings;
  readonly #runs: RunSurroundings;
  readonly #memory: AgentMemory;
  readonly #left: LeftEvents;
  readonly #pool: ProcessPool<Conversation>;
  readonly #spares: Spares<Conversation>;
  readonly #ownWork = new OwnWorkOffers<Conversation>();

  constructor(surroundings: SessionSurroundings) {
    this.#surroundings = surroundings;
    this.#memory = new AgentMemory(surroundings.processes.maxLineBytes);
    this.#left = new LeftEvents(this.#memory.left);
    this.#pool = new ProcessPool(surroundings.limits);
    this.#spares = new Spares({
      ...surroundings.spares,
      trees: surroundings.trees,
      log: surroundings.processes.log,
      open: (workspace) => this.#openSpare(workspace),
      bringUp,
      isStale: ({ rules }) => rules !== surroundings.tools.rules,
    });
    const { command, directory, processes } = surroundings;
    const settle = (conversation: Conversation, fate: Fate) =>
      this.#pool.settle(conversation, fate);
    this.#runs = { source: this, settle, command, directory, owner: processes.user };
  }

  /** Starts a turn. */
  start(turn: AgentTurn): AgentRun {
    return ClaudeRun.start(turn, this.#runs);
  }

  onOwnWork(accept: (work: OwnWork) => string): void {
    this.#ownWork.onOffer(accept);
  }

  reserve(...wanted: Parameters<Spares<Conversation>["reserve"]>): SpareReservation | undefined {
    return this.#spares.reserve(...wanted);
  }

  prepare(makeWorkspace: () => Promise<string>): void {
    this.#spares.prepare(makeWorkspace);
  }

  /** To be called when the rules have changed: none that waits is to have others. */
  renewSpares(): void {
    this.#spares.renew();
  }

  async claim(turn: AgentTurn): Promise<Conversation | undefined> {
    const conversation = this.#pool.of(turn.sessionKey) ?? this.#adopt(turn);
    if (conversation === undefined) return undefined;
    this.#ownWork.declineAll(conversation);
    const isRuled = conversation.rules === this.#surroundings.tools.rules;
    if (conversation.isIdle && isRuled && fits(conversation, turn)) {
      this.#pool.use(conversation);
      return conversation;
    }
    await conversation.process.close();
    return undefined;
  }

  open(turn: AgentTurn, opening: Opening): Promise<Conversation> {
    this.#pool.makeRoom(1);
    const { sessionKey, workspace, agentSessionId, model, agent, permissionMode: mode } = turn;
    const setup = { workspace, agentSessionId, model, agent };
    return this.#open({ setup, sessionKey, opening, mode, trace: turn.trace });
  }

  get counts(): ProcessCounts {
    return this.#pool.counts;
  }

  /** Ends the process of a session that is to be no more. */
  async close(sessionKey: string): Promise<void> {
    await this.#pool.of(sessionKey)?.process.close();
    this.#left.drain(sessionKey);
  }

  /** Whether a process of another session, or one that waits for a session, was started for a conversation. */
  isAnothers(agentSessionId: string, sessionKey: string): boolean {
    return this.#pool.all.some(
      (each) => each.setup.agentSessionId === agentSessionId && each.sessionKey !== sessionKey,
    );
  }

  /** The sessions that have a process, by their keys. */
  rememberedSessions(): string[] {
    return this.#pool.sessionKeys;
  }

  /** Ends the process that waits in a workspace, if one does. */
  closeSpare(workspace: string): Promise<void> {
    return this.#spares.end(workspace);
  }

  /** Ends all that no turn is using; from now on none is kept. */
  async closeIdle(): Promise<void> {
    await Promise.all([this.#pool.closeIdle(), this.#spares.close()]);
  }

  killNow(): void {
    this.#pool.killNow();
  }

  ownWork(conversation: Conversation): void {
    this.#pool.use(conversation);
    const { setup, sessionKey, turnId, tasks, mode: permissionMode } = conversation;
    const { model, agent } = setup;
    const causeTurnId = tasks.lastCause || turnId;
    const facts = { sessionKey, causeTurnId, lastTurnId: turnId, model, agent, permissionMode };
    const run = ClaudeRun.ofOwnWork(conversation, this.#runs);
    this.#ownWork.offer(conversation, facts, run, () => {
      if (conversation.isIdle) this.#pool.rest(conversation);
    });
  }

  doubted({ sessionKey, process }: Conversation, why: string): void {
    const { log } = this.#surroundings.processes;
    const { processId } = process;
    log.warn(`an agent ${why} and is ended`, { sessionId: sessionKey, processId });
    void process.close();
  }

  #openSpare(workspace: string): Promise<Conversation> {
    const { agent, model, mode } = this.#surroundings.spares.plan;
    const setup = { workspace, agentSessionId: randomUUID(), model, agent };
    return this.#open({ setup, sessionKey: "", opening: "new", mode });
  }

  async #open(
    wanted: Pick<ConversationOpening, "setup" | "sessionKey" | "opening" | "mode" | "trace">,
  ): Promise<Conversation> {
    const { sessionKey } = wanted;
    const memory = this.#memory.process();
    const idleEvents = new IdleEvents(memory.idle);
    idleEvents.keep(this.#left.drain(sessionKey));
    const opening = { ...wanted, memory, idleEvents, keeper: this };
    try {
      const conversation = await openConversation(opening, this.#surroundings);
      this.#pool.add(conversation);
      void conversation.process.gone.then(() => this.#forget(conversation));
      return conversation;
    } catch (error) {
      // It is told with the session's next process.
      if (sessionKey !== "") this.#left.keep(sessionKey, idleEvents.drain());
      memory.close();
      throw error;
    }
  }

  #adopt(turn: AgentTurn): Conversation | undefined {
    const spare = this.#spares.claim(turn.workspace);
    if (spare === undefined) return undefined;
    spare.sessionKey = turn.sessionKey;
    spare.process.assign(turn.sessionKey);
    this.#pool.touch(spare);
    return spare;
  }

  /** What nobody was told yet is the session's next process's to tell. */
  #forget(conversation: Conversation): void {
    this.#ownWork.forget(conversation);
    const { sessionKey, tasks, memory } = conversation;
    const left = conversation.drain();
    if (tasks.size > 0) left.push(tasksEndedNotice(tasks.size));
    memory.close();
    if (sessionKey !== "") this.#left.keep(sessionKey, left);
  }
}

function tasksEndedNotice(count: number): EventKind {
  const text = `The session's process has ended, and with it what it ran in the background (tasks: ${count})`;
  return noticeEvent(NoticeReason.TASK_ENDED, text);
}

/** Has a CLI that waits for a session come up. */
async function bringUp(conversation: Conversation): Promise<boolean> {
  const answer = await conversation.control({ subtype: "initialize" }, INITIALIZE_MS);
  if (answer === undefined) return false;
  // Has it load some of what its first turn needs: 30 to 80 ms of that turn (measured on both versions).
  await conversation.control({ subtype: "get_context_usage" }, INITIALIZE_MS);
  return true;
}

/**
 * The model cannot be changed in place: the CLI would tell the model of it, in words beside the prompt (measured). Nor can the
 * mode: a process that could go from ASK to BYPASS could be made to by whoever reaches its stdin. Nor can the directory that it
 * works in, where that was removed: one of the same name that was made since is another.
 */
function fits({ setup, mode }: Conversation, turn: AgentTurn): boolean {
  return (
    mode === turn.permissionMode &&
    setup.agent === turn.agent &&
    setup.model === turn.model &&
    setup.agentSessionId === turn.agentSessionId &&
    setup.workspace === turn.workspace &&
    turn.isWorkspaceRestored !== true
  );
}
