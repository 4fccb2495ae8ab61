/**
 * The least that a service of this kind can do in Node: the lines of an agent, as they come, parsed, kept in SQLite by a thread
 * before anyone sees them, and written as server-sent events. It shows what the machine lets through at most.
 *
 * Usage: `bare-loop.ts AGENT [DATABASE]`. Prints its URL, and answers `POST /v1/turns` with what AGENT prints for the prompt.
 * Without a DATABASE nothing is kept.
 */
import { spawn } from "node:child_process";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

interface Line {
  readonly type: string;
  readonly subtype?: string;
  readonly session_id?: string;
  readonly result?: string;
  readonly message?: { readonly content: readonly Block[] };
}
interface Block {
  readonly type: string;
  readonly text?: string;
  readonly name?: string;
  readonly input?: unknown;
}

if (isMainThread) serve();
else keep(workerData as string);

function serve(): void {
  const [agent = "", database] = process.argv.slice(2);
  const thread =
    database === undefined
      ? undefined
      : new Worker(new URL(import.meta.url), { workerData: database });
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    stream(agent, thread, response);
  });
  server.listen(0, "127.0.0.1", () => {
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}

function stream(agent: string, thread: Worker | undefined, response: ServerResponse): void {
  const { stdin, stdout } = spawn(agent, { stdio: ["pipe", "pipe", "inherit"] });
  stdin.end("go\n");
  let batch: string[] = [];
  let sequence = 0;
  let isKeeping = false;
  let isOver = false;
  const flush = () => {
    if (isKeeping) return;
    if (batch.length === 0) {
      if (isOver) response.end();
      return;
    }
    const events = batch;
    batch = [];
    const write = () => {
      isKeeping = false;
      response.write(events.map((event) => `data: ${event}\n\n`).join(""));
      flush();
    };
    isKeeping = true;
    if (thread === undefined) queueMicrotask(write);
    else {
      thread.once("message", write);
      thread.postMessage(events);
    }
  };
  createInterface({ input: stdout })
    .on("line", (line) => {
      for (const event of eventsOf(JSON.parse(line) as Line)) {
        batch.push(JSON.stringify({ sequence: ++sequence, ...event }));
      }
      flush();
    })
    .on("close", () => {
      isOver = true;
      flush();
    });
}

/** Of the kinds that the loop in Python has. */
function eventsOf({ type, subtype, session_id, result, message }: Line): object[] {
  if (subtype === "init") return [{ kind: "session", session_id }];
  if (type === "result") return [{ kind: "result", result }];
  if (type !== "assistant") return [];
  return message!.content.flatMap(({ type, text, name, input }): object[] => {
    if (type === "text") return [{ kind: "text", text }];
    return type === "tool_use" ? [{ kind: "tool", name, input }] : [];
  });
}

/** In a thread: commits each batch as the service's store does, and says so. */
function keep(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE events (place INTEGER PRIMARY KEY, event TEXT NOT NULL)");
  const insert = database.prepare("INSERT INTO events (event) VALUES (?)");
  parentPort!.on("message", (events: readonly string[]) => {
    database.exec("BEGIN");
    for (const event of events) insert.run(event);
    database.exec("COMMIT");
    parentPort!.postMessage(events.length);
  });
}
