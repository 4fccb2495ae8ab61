import type { DescMethod, Message } from "@bufbuild/protobuf";
import {
  createContextKey,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { answeredOnce, type Passing, streamed } from "./call-answers.ts";
import type { CallRule } from "./case.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import {
  type AnyListener,
  type AnyRequest,
  type AnyResponse,
  startHttpServer,
} from "./http-server.ts";

/** A call as it came. */
export interface Call {
  /** As the proto has it: `RunTurn`. */
  readonly method: string;
  readonly request: Message;
}

/** What stands between a client and the server, and knows calls: it passes them on, changes their answers, or gives others. */
export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** All calls of the service so far. */
  readonly calls: readonly Call[];
  /** When each call began that a rule may be for, those that a page answered included; in milliseconds. */
  readonly times: readonly number[];
}

const PATH = `/${BreakglassService.typeName}/`;
const RULE = createContextKey<CallRule | undefined>(undefined);

/**
 * Starts one in front of a server.
 *
 * @param upstream - The server. Undefined: there is none, and only the rules answer.
 * @param rules - What becomes of the calls that are ruled, the one after the other; the rest is passed on.
 * @param isRuled - Whether the rules are for a method, such as `RunTurn`.
 * @param proxy - What stands in front of it, and breaks the connections.
 */
export async function startRelay(
  upstream: string | undefined,
  rules: readonly CallRule[],
  isRuled: (method: string) => boolean,
  proxy: CuttingProxy,
): Promise<Relay> {
  const connection = upstream === undefined ? undefined : openGrpcConnection(upstream, undefined);
  const client = connection && createBreakglassClient(connection.transport);
  const calls: Call[] = [];
  const times: number[] = [];
  const ruleOf = new WeakMap<object, CallRule | undefined>();
  const implementation = implementationOf((method, request, context) => {
    calls.push({ method: method.name, request });
    return { method, request, context, client, proxy, rule: context.values.get(RULE) };
  });
  const handler = connectNodeAdapter({
    routes: (router) => router.service(BreakglassService, implementation),
    contextValues: (request) => createContextValues().set(RULE, ruleOf.get(request)),
  }) as AnyListener;
  const server = await startHttpServer(((request: AnyRequest, response: AnyResponse) => {
    const method = (request.url ?? "").split("?")[0]!.replace(PATH, "");
    if (isRuled(method)) {
      const rule = rules[times.length] ?? (upstream === undefined ? NO_MORE : undefined);
      times.push(performance.now());
      if (rule !== undefined && "http" in rule) return answerPage(request, response, rule.http);
      ruleOf.set(request, rule);
    }
    handler(request as never, response as never);
  }) as AnyListener);
  return {
    url: server.url,
    calls,
    times,
    async [Symbol.asyncDispose]() {
      connection?.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** What a client hears that calls more often than the case has it. */
const NO_MORE: CallRule = {
  send: [],
  end: { code: "FAILED_PRECONDITION", reason: "NO_MORE" },
  times: 1,
};

function implementationOf(
  take: (method: DescMethod, request: Message, context: HandlerContext) => Passing,
): ServiceImpl<typeof BreakglassService> {
  const handlers = BreakglassService.methods.map((method) => [
    method.localName,
    (request: Message, context: HandlerContext) => {
      const passing = take(method, request, context);
      return method.methodKind === "server_streaming" ? streamed(passing) : answeredOnce(passing);
    },
  ]);
  return Object.fromEntries(handlers) as ServiceImpl<typeof BreakglassService>;
}

/** A page of a proxy's own. */
function answerPage(request: AnyRequest, response: AnyResponse, status: number): void {
  // Read before it is answered: over HTTP/1.1 its connection is used again.
  request.resume();
  response.statusCode = status;
  response.setHeader("content-type", "text/html");
  response.end("<html>by the kit</html>");
}
