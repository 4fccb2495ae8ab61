import { isAnswer, isClosedConnection } from "#client";
import { type Printable, print } from "./terminal-text.ts";

/** What is known of the call that failed. */
export interface FailedCall {
  readonly url: string;
  readonly hasToken: boolean;
}

const OTHER_SERVER =
  /unsupported content type|HTTP 404|Protocol error|ERR_HTTP2_ERROR|does not speak HTTP\/2/;
const PROXY = /HTTP 50[234]/;
const CERTIFICATE = /self[- ]signed certificate|unable to (get|verify)|UNABLE_TO|certificate/i;

/** What to do about a call that failed, in a line. Undefined: what it says itself is all there is. */
export function failureAdvice(
  error: unknown,
  { url, hasToken }: FailedCall,
): Printable | undefined {
  const message = error instanceof Error ? error.message : "";
  if (/\[unauthenticated\]/.test(message)) {
    return hasToken
      ? print`The token in BREAKGLASS_TOKEN is not one that the server knows, or no longer is.`
      : print`Set BREAKGLASS_TOKEN to a token that the server knows.`;
  }
  if (isAnswer(error)) {
    return /\[unimplemented\]/.test(message)
      ? print`The server is older than this command: its version has no such method.`
      : undefined;
  }
  if (isClosedConnection(error) && url.startsWith("http:")) {
    return print`The URL of a server with TLS begins with https:`;
  }
  return connectionAdvice(message);
}

function connectionAdvice(message: string): Printable | undefined {
  if (/ECONNREFUSED|connect ENOENT/.test(message)) {
    return print`Nothing listens there: start the server, or name its URL by --url or BREAKGLASS_URL.`;
  }
  if (message.includes("connect EACCES")) {
    return print`That socket is another user's: its server has to let your group in, by BREAKGLASS_SOCKET_MODE.`;
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) {
    return print`There is no host of that name: look at the URL in --url or BREAKGLASS_URL.`;
  }
  if (OTHER_SERVER.test(message)) {
    return print`It is not breakglass that answers there: look at the host and the port in --url or BREAKGLASS_URL. A proxy has to pass on gRPC.`;
  }
  if (PROXY.test(message)) {
    return print`It is a proxy that answers there, and it finds no server behind it.`;
  }
  if (CERTIFICATE.test(message)) {
    return print`The server's certificate is not trusted here: NODE_EXTRA_CA_CERTS names a file with the authority that signed it.`;
  }
  return undefined;
}
