import { ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { RefusedRequests } from "./refused-requests.ts";

type Method = (message: never, context: HandlerContext) => unknown;

/** The same methods; each refusal that they answer with is counted. */
export function withRefusalsTold<M extends Record<string, Method>>(
  methods: M,
  refused: Pick<RefusedRequests, "count">,
): M {
  const tell = (error: unknown): never => {
    if (error instanceof ConnectError) {
      const [info] = error.findDetails(ErrorInfoSchema);
      if (info !== undefined) refused.count(info.reason);
    }
    throw error;
  };
  const told = Object.entries(methods).map(([name, method]) => [
    name,
    (message: never, context: HandlerContext) => {
      const answer = method(message, context);
      if (answer instanceof Promise) return answer.catch(tell);
      return isStream(answer) ? toldStream(answer, tell) : answer;
    },
  ]);
  return Object.fromEntries(told) as M;
}

function isStream(answer: unknown): answer is AsyncIterable<unknown> {
  return typeof answer === "object" && answer !== null && Symbol.asyncIterator in answer;
}

async function* toldStream(stream: AsyncIterable<unknown>, tell: (error: unknown) => never) {
  try {
    yield* stream;
  } catch (error) {
    tell(error);
  }
}
