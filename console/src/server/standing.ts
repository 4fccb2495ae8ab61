import { errorInfoOf, isAnswer, type ServerInfo } from "@breakglass/client";
import { Code, ConnectError } from "@connectrpc/connect";

/** Whom the server takes the page's user for. */
export type Standing =
  | { readonly state: "asking" }
  /** It takes a token. `token-refused`: the one that was given is none, or none any more; `signed-out`: by the user. */
  | { readonly state: "signed-out"; readonly why: "token-needed" | "token-refused" | "signed-out" }
  /** It answers, and lets the page's user do nothing: because of the page's address, or because an agent opened it. */
  | { readonly state: "refused"; readonly error: unknown }
  /** It does not answer, and is asked again. */
  | {
      readonly state: "unreachable";
      readonly error: unknown;
      readonly since: Date;
      readonly retryTime: Date;
    }
  | {
      readonly state: "signed-in";
      readonly server: ServerInfo;
      /** Set where the server has not answered yet: what is shown is what it said before. */
      readonly away?: Away;
    };

/** The server is away, and what the browser has is shown. */
export interface Away {
  readonly since: Date;
  /** When the server was heard last. */
  readonly asOf: Date;
}

/** What a failed question means for who one is. */
export function meaningOf(error: unknown): "unauthenticated" | "refused" | "unreachable" {
  if (isUnauthenticated(error)) return "unauthenticated";
  const { code } = ConnectError.from(error);
  const isTold = errorInfoOf(error) !== undefined && isAnswer(error) && code !== Code.Unavailable;
  return isTold || code === Code.PermissionDenied ? "refused" : "unreachable";
}

/** Whether a call was refused for who made it. */
export function isUnauthenticated(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
