import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createConnectTransport } from "@connectrpc/connect-node";
import { type BreakglassClient, createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";

const run = promisify(execFile);

/** A client of a server at any address, and what it holds. */
export interface OpenClient extends Disposable {
  readonly client: BreakglassClient;
}

/** Opens one: over gRPC, or, to an IPv6 address, over Connect (Node's HTTP/2 client names those without their brackets). */
export function openClient(url: string, token?: string): OpenClient {
  if (!url.includes("[")) {
    const { transport, close } = openGrpcConnection(url, token);
    return { client: createBreakglassClient(transport), [Symbol.dispose]: close };
  }
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return { client: createBreakglassClient(transport), [Symbol.dispose]: () => {} };
}

/** A method that is called by curl. */
export interface CurlCall {
  readonly method: string;
  /** Without a single quote. */
  readonly body: string;
  /** Further arguments. */
  readonly more?: string;
}

/** A command that calls a method of a server at any address, and prints the answer. */
export function curl(url: string, { method, body, more = "" }: CurlCall): string {
  const isSocket = url.startsWith("unix:");
  const socket = isSocket ? `--unix-socket ${url.slice("unix:".length)}` : "";
  const target = `${isSocket ? "http://localhost" : url}/breakglass.v1.BreakglassService/${method}`;
  return `curl -gs -m 30 ${socket} ${more} -H 'content-type: application/json' -d '${body}' '${target}'`;
}

/**
 * Runs a command in no agent's name, and answers what it printed, whatever its status.
 *
 * @param uid - The user that it runs as. Default: the tests' own.
 */
export async function runCommand(command: string, uid?: number): Promise<string> {
  const env = { PATH: process.env.PATH ?? "" };
  const as = uid === undefined ? {} : { uid, gid: uid };
  try {
    const { stdout } = await run("sh", ["-c", command], { env, cwd: "/", ...as });
    return stdout;
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? "";
  }
}
