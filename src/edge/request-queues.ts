import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { HttpResponse, RequestListener } from "./http.ts";
import { closeBehind } from "./unread-request.ts";

/** So many may wait for one that is under way. Hardly any client sends a request before the last one was answered. */
const MOST_WAITING = 8;

interface Queue {
  /** In the order in which they came; the first is under way. */
  readonly requests: [request: IncomingMessage, response: HttpResponse, admitted: () => void][];
  /** Whether the last of them is the last of the connection. */
  isClosed: boolean;
}

/**
 * Answers the requests of one connection of HTTP/1.1 one after the other, as they are read by its client.
 *
 * Node makes a request of everything that came in one piece, thousands maybe. What comes behind `MOST_WAITING` is not
 * answered: the last answer closes the connection, which tells a client to send the others again (RFC 9112, 9.6).
 */
export class RequestQueues {
  readonly #answer: RequestListener;
  readonly #queues = new WeakMap<Socket, Queue>();

  constructor(answer: RequestListener) {
    this.#answer = answer;
  }

  /** Answers a request when those before it are answered. False: it is not to be answered. */
  add(request: IncomingMessage, response: HttpResponse, admitted: () => void): boolean {
    const { socket } = request;
    const queue = this.#queueOf(socket);
    if (queue.isClosed || socket.writableEnded) return false;
    queue.requests.push([request, response, admitted]);
    if (queue.requests.length === 1) this.#start(queue);
    else if (queue.requests.length > MOST_WAITING) {
      queue.isClosed = true;
      // Once the parser is through with what it has: it goes on with the next that comes, whoever pauses it.
      process.nextTick(closeBehind(response, socket));
    }
    return true;
  }

  #queueOf(socket: Socket): Queue {
    const known = this.#queues.get(socket);
    if (known !== undefined) return known;
    const queue: Queue = { requests: [], isClosed: false };
    this.#queues.set(socket, queue);
    return queue;
  }

  #start(queue: Queue): void {
    const [first] = queue.requests;
    if (first === undefined) return;
    const [request, response, admitted] = first;
    response.once("close", () => {
      queue.requests.shift();
      if (request.socket.destroyed) queue.requests.length = 0;
      else this.#start(queue);
    });
    this.#answer(request, response, admitted);
  }
}
