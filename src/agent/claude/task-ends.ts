import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { MAX_ID_LENGTH } from "../agent-memory.ts";
import { label, noticeEvent } from "../events.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";

/** So many tasks are remembered, however many an agent starts. */
const MAX_TASKS = 1000;

/** What a task's state is called once it is over. */
const ENDS: ReadonlySet<string> = new Set([
  "completed",
  "failed",
  "killed",
  "stopped",
  "cancelled",
]);

/** Whether a task is over, by what an update says of it. */
export function isTaskEnd(status: string | null | undefined): boolean {
  return ENDS.has(status ?? "");
}

/** Whether a message says that a task is over, and that the agent is told of it. */
export function isTaskNotification({ type, subtype }: Message): boolean {
  return type === "system" && subtype === "task_notification";
}

/**
 * Which tasks of one process were told to be over. An update says it, with or without a notification that says it once more
 * and knows more of it, mostly in the next line: that is waited for, and nothing behind it.
 */
export class TaskEnds {
  /** What is known of each, the newest last. */
  readonly #tasks = new Map<string, { name: string; isSilent: boolean; isTold: boolean }>();
  #waiting: { readonly taskId: string; readonly event: EventKind } | undefined;

  /** A `task_started`. */
  started(message: Message): void {
    const { task_id } = messages.task.safeParse(message).data ?? {};
    const { data } = messages.taskStarted.safeParse(message);
    if (task_id === undefined || data === undefined) return;
    const isSilent = Boolean(data.skip_transcript || data.ambient);
    this.#note(task_id, { name: label(data.description), isSilent, isTold: false });
  }

  /** A `task_notification`. Answers whether it says something new. */
  notified(message: Message): boolean {
    const { task_id } = messages.task.safeParse(message).data ?? {};
    if (task_id === undefined) return true;
    if (this.#waiting?.taskId === task_id) {
      this.#waiting = undefined;
      return true;
    }
    const task = this.#tasks.get(task_id);
    this.#note(task_id, { name: "", isSilent: false, ...task, isTold: true });
    return task?.isTold !== true;
  }

  /** A `task_updated`. */
  updated(message: Message): void {
    const { task_id, patch } = messages.taskUpdated.safeParse(message).data ?? {};
    if (task_id === undefined || !isTaskEnd(patch?.status)) return;
    const task = this.#tasks.get(task_id);
    if (task?.isTold) return;
    this.#note(task_id, { name: "", isSilent: false, ...task, isTold: true });
    if (task?.isSilent) return;
    const text = `Task ${patch?.status}${task?.name ? `: ${task.name}` : ""}`;
    this.#waiting = { taskId: task_id, event: noticeEvent(NoticeReason.TASK_ENDED, text) };
  }

  /** Appends what was waited with, now that something else comes. Undefined: nothing more does. */
  finish(next: Message | undefined, into: EventKind[]): void {
    if (this.#waiting === undefined) return;
    const isNotification = next?.subtype === "task_notification";
    const { task_id } = (isNotification && messages.task.safeParse(next).data) || {};
    if (task_id === this.#waiting.taskId) return;
    into.push(this.#waiting.event);
    this.#waiting = undefined;
  }

  #note(taskId: string, task: { name: string; isSilent: boolean; isTold: boolean }): void {
    if (taskId.length > MAX_ID_LENGTH) return;
    this.#tasks.delete(taskId);
    this.#tasks.set(taskId, task);
    if (this.#tasks.size <= MAX_TASKS) return;
    const [oldest] = this.#tasks.keys();
    this.#tasks.delete(oldest!);
  }
}
