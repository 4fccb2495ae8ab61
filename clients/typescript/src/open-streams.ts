import type { Transport } from "@connectrpc/connect";

/** A browser opens so many connections to a server over HTTP/1.1, and each stream holds one. */
const CONNECTIONS = 6;
const SERVICE_PATH = "/breakglass.v1.BreakglassService/";

/**
 * The same transport, which warns, once, where a page's call finds every connection taken by a stream: over HTTP/1.1 it
 * waits until one of them ends, and says nothing meanwhile.
 */
export function warningOfFullConnections(
  transport: Transport,
  warn: (message: string) => void,
): Transport {
  let open = 0;
  let isTold = false;
  const look = (name: string) => {
    if (isTold || open < CONNECTIONS || !isOverHttp1()) return;
    isTold = true;
    warn(
      `breakglass: ${name} waits: ${open} streams are open, and over HTTP/1.1 a browser has ${CONNECTIONS} connections to a server. Serve the page over TLS, where HTTP/2 is spoken, or read fewer streams (WatchTurns)`,
    );
  };
  return {
    unary(method, signal, timeoutMs, header, input, contextValues) {
      look(method.name);
      return transport.unary(method, signal, timeoutMs, header, input, contextValues);
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      look(method.name);
      open++;
      const ended = () => void open--;
      try {
        const response = await transport.stream(
          method,
          signal,
          timeoutMs,
          header,
          input,
          contextValues,
        );
        return { ...response, message: telling(response.message, ended) };
      } catch (error) {
        ended();
        throw error;
      }
    },
  };
}

/** Whether this is a page, or a worker of one; elsewhere connections are as many as it takes. */
export function isPage(): boolean {
  return "document" in globalThis || "WorkerGlobalScope" in globalThis;
}

/** Whether a page's calls go over HTTP/1.1, as far as the browser tells. */
function isOverHttp1(): boolean {
  const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  const calls = entries.filter(({ name }) => name.includes(SERVICE_PATH));
  const spoken = calls.map(({ nextHopProtocol }) => nextHopProtocol).findLast(Boolean);
  // In clear text browsers speak nothing else.
  return spoken === undefined ? location.protocol === "http:" : spoken.startsWith("http/1");
}

/** @param ended - Called once, when nothing more comes. */
async function* telling<T>(messages: AsyncIterable<T>, ended: () => void): AsyncGenerator<T, void> {
  try {
    yield* messages;
  } finally {
    ended();
  }
}
