import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";

/** Node's own options do not pass to it: a client is no part of what is measured. */
const OPTIONS: ForkOptions = {
  execArgv: [],
  serialization: "advanced",
  stdio: ["ignore", "ignore", "inherit", "ipc"],
};

/** A program of clients in a process of its own, which answers each message with one. It has ended when its scope has. */
export interface ClientProcess<Question, Answer> extends AsyncDisposable {
  readonly pid: number;
  /** Rejects where the process ends without an answer, or takes longer than `withinMs`. One at a time. */
  ask(question: Question, withinMs: number): Promise<Answer>;
  /** Ends the process at once. Resolves when it has ended. */
  kill(): Promise<void>;
}

/**
 * Starts a program beside this module.
 *
 * @param plan - Its only argument, as JSON.
 */
export function startClients<Question extends object | string, Answer>(
  program: string,
  plan: unknown,
): ClientProcess<Question, Answer> {
  const path = new URL(program, import.meta.url);
  const child: ChildProcess = fork(path, [JSON.stringify(plan)], OPTIONS);
  const exited = once(child, "exit");
  const kill = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  };
  return {
    pid: child.pid!,
    kill,
    async ask(question, withinMs) {
      const over = new AbortController();
      const { signal } = over;
      const late = setTimeout(() => over.abort(new Error(`${program} took too long`)), withinMs);
      const gone = () => over.abort(new Error(`${program} has ended`));
      child.once("exit", gone);
      try {
        const answer = once(child, "message", { signal });
        child.send(question);
        const [message] = await answer;
        return message as Answer;
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      } finally {
        clearTimeout(late);
        child.off("exit", gone);
      }
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** The program's side: its plan, and what it answers. It ends with the process that started it. */
export function answerAs<Plan, Question, Answer>(
  start: (plan: Plan) => (question: Question) => Answer | Promise<Answer>,
): void {
  const answer = start(JSON.parse(process.argv[2]!) as Plan);
  process.on("disconnect", () => process.exit());
  process.on("message", async (question) => {
    process.send?.(await answer(question as Question));
  });
}
