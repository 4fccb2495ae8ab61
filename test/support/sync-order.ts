import { spawnSync } from "node:child_process";

/** What a trace tells of texts on their way from the store's log to who is told that they are on disk. */
export interface SyncOrder {
  /** The texts that were sent. */
  readonly sent: ReadonlySet<string>;
  /** Those that were sent before the write of them was known to be on disk. */
  readonly early: ReadonlySet<string>;
}

const CALL = /^(\d+)\s+(\w+)\((\d+<[^>]*(?:->[^>]*)?>)(.*)$/;
const RESUMED = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$/;
const UNFINISHED = "<unfinished ...>";
const WRITES = new Set(["write", "writev", "pwrite64", "pwritev", "pwritev2", "sendmsg", "sendto"]);
const SYNCS = new Set(["fsync", "fdatasync"]);

/** What to trace for `readSyncOrder`, into a file. */
export function traceOptions(path: string): string[] {
  const calls = "trace=fdatasync,fsync,write,writev,pwrite64,pwritev,pwritev2,sendmsg,sendto";
  return ["-f", "-yy", "-q", "-s", "1000000", "-e", calls, "-o", path];
}

/** Why nothing can be traced here; undefined where it can. */
export function whyNotTraced(): string | undefined {
  const { error, status, stderr } = spawnSync("strace", ["-f", "-o", "/dev/null", "true"]);
  if (error !== undefined) return "strace is not installed";
  return status === 0 ? undefined : `strace may not trace: ${String(stderr).split("\n")[0]}`;
}

/** A system call that has begun. */
interface Begun {
  readonly name: string;
  readonly target: string;
  /** The texts in what it writes. */
  readonly texts: readonly string[];
  /** The texts that were in the log when it began. */
  readonly written: readonly string[];
}

/**
 * Reads the output of `strace -f -yy`: a text counts as on disk once a sync of the log (a file that ends in `-wal`) has
 * returned 0 that began after the write of the text to the log had returned.
 *
 * A thread that is traced stands still until strace has told of its call, so what one call brings about in another
 * thread is told after it.
 *
 * @param isTold - Whether what is written to a file descriptor is told; left out: what goes to a TCP socket.
 */
export function readSyncOrder(
  lines: Iterable<string>,
  textsIn: (data: string) => string[],
  isTold = (target: string) => target.includes("<TCP"),
): SyncOrder {
  const begun = new Map<string, Begun>();
  const written = new Set<string>();
  const synced = new Set<string>();
  const sent = new Set<string>();
  const early = new Set<string>();

  const begin = (name: string, target: string, data: string): Begun => {
    const texts = WRITES.has(name) ? textsIn(data) : [];
    if (isTold(target)) {
      for (const text of texts) {
        if (!synced.has(text)) early.add(text);
        sent.add(text);
      }
    }
    return { name, target, texts, written: SYNCS.has(name) ? [...written] : [] };
  };
  const end = (call: Begun, answer: string) => {
    if (!call.target.includes("-wal>")) return;
    for (const text of call.texts) written.add(text);
    if (SYNCS.has(call.name) && /= 0\b/.test(answer))
      for (const text of call.written) synced.add(text);
  };

  for (const line of lines) {
    const [, pid = "", name = "", target = "", data = ""] = CALL.exec(line) ?? [];
    if (pid !== "") {
      const call = begin(name, target, data);
      if (data.endsWith(UNFINISHED)) begun.set(pid, call);
      else end(call, data.slice(-40));
      continue;
    }
    const [, resumed = "", , answer = ""] = RESUMED.exec(line) ?? [];
    const call = begun.get(resumed);
    begun.delete(resumed);
    if (call !== undefined) end(call, answer);
  }
  return { sent, early };
}
