import { delimiter, isAbsolute } from "node:path";
import type { Environment } from "../config/environment.ts";
import type { TraceContext } from "../trace-context.ts";

/** What an agent and the tools that it runs need of the server's environment, whichever agent it is. */
const PASSED = new Set([
  ..."PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TERM".split(" "),
  ..."HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy".split(" "),
  ..."SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS".split(" "),
  ..."XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR".split(" "),
]);

const PASSED_PREFIX = /^LC_/;

/**
 * The part of the server's environment that an agent gets: an allow-list, so that nothing that could be a secret of the
 * server's own is in it.
 *
 * @param names - What is passed beside the usual.
 */
export function passedEnvironment(
  server: Environment,
  names: ReadonlySet<string>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(server)) {
    const passed = PASSED.has(name) || PASSED_PREFIX.test(name) || names.has(name);
    if (passed && value !== undefined) environment[name] = value;
  }
  // An entry that is empty or relative would be the workspace's, also to what looks up an interpreter.
  const path = searchedFolders(environment.PATH).join(delimiter);
  if (path === "") delete environment.PATH;
  else environment.PATH = path;
  return environment;
}

/** The variables in which a process finds the trace that what it does is part of. */
export function traceVariables(trace: TraceContext | undefined): Record<string, string> {
  if (trace === undefined) return {};
  const { traceparent: TRACEPARENT, tracestate: TRACESTATE } = trace;
  return { TRACEPARENT, ...(TRACESTATE === "" ? {} : { TRACESTATE }) };
}

/**
 * The folders of a PATH in which programs are looked for: those with an absolute path. Any other, an empty one too, would
 * be in the directory of whoever looks, which is the workspace for an agent's process.
 */
export function searchedFolders(path = ""): string[] {
  return path.split(delimiter).filter(isAbsolute);
}
