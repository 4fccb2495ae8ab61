import { MAX_ID_LENGTH } from "../agent-memory.ts";
import { traitsOf } from "./cli-versions.ts";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";
import { isTaskEnd } from "./task-ends.ts";

/** So many are remembered, however many an agent starts. */
const MAX_TASKS = 1000;

/** The tasks that one process of the CLI runs in its background, and the turns that started them. */
export class BackgroundTasks {
  /** By the CLI's id, the id of the turn. */
  readonly #running = new Map<string, string>();
  #listed = false;
  #lastCause = "";
  /** What says that it is over may come twice. */
  #lastEnded = "";

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  /** The turn that started the task which last ended. Empty: none ended, or unknown. */
  get lastCause(): string {
    return this.#lastCause;
  }

  /** What the CLI says of its own version. */
  set version(version: string) {
    this.#listed = traitsOf(version).listsTasks;
  }

  /**
   * Takes note of a `system` message.
   *
   * @param turnId - The turn that is running.
   */
  note(message: Message, turnId: string): void {
    const { subtype } = message;
    if (subtype === "task_started") this.#start(message, turnId);
    else if (subtype === "task_notification") this.#end(message);
    else if (subtype === "task_updated") this.#update(message, turnId);
    else if (subtype === "background_tasks_changed" && this.#listed) this.#list(message);
  }

  #start(message: Message, turnId: string): void {
    const { task_id, is_backgrounded } = messages.task.safeParse(message).data ?? {};
    if (task_id === undefined || is_backgrounded === false) return;
    if (task_id.length > MAX_ID_LENGTH) return;
    if (this.#running.size < MAX_TASKS) this.#running.set(task_id, turnId);
  }

  /** One that the agent waited for goes to the background, or one is over, with or without a notification. */
  #update(message: Message, turnId: string): void {
    const { task_id, patch } = messages.taskUpdated.safeParse(message).data ?? {};
    if (task_id === undefined) return;
    if (isTaskEnd(patch?.status)) this.#end(message);
    else if (patch?.is_backgrounded) this.#start(message, turnId);
  }

  #end(message: Message): void {
    const { task_id } = messages.task.safeParse(message).data ?? {};
    if (task_id === undefined || task_id === this.#lastEnded) return;
    this.#lastEnded = task_id;
    this.#lastCause = this.#running.get(task_id) ?? "";
    this.#running.delete(task_id);
  }

  /** Tasks end without a notification too, as when the agent stops them. Their causes stay known until then. */
  #list(message: Message): void {
    const { tasks } = messages.taskList.safeParse(message).data ?? {};
    if (tasks === undefined || tasks.length > 0) return;
    this.#running.clear();
  }
}
