const CREDENTIALS =
  "On the server, set ANTHROPIC_API_KEY (or ANTHROPIC_AUTH_TOKEN) to a valid key in the environment of breakglass and " +
  "restart it, or log the CLI in as the user that breakglass runs as.";

const PROVIDER =
  "If it lasts, check the provider's status, and ANTHROPIC_BASE_URL where the server sets it.";

/** What an operator can do about an error of the model's API, by the CLI's own name for it (its `error` field). */
const ADVICE: Readonly<Record<string, string>> = {
  authentication_failed: CREDENTIALS,
  oauth_org_not_allowed: CREDENTIALS,
  account_on_hold: "Look at the account with the provider, or give the server another key.",
  verification_required: "Verify the account with the provider, or give the server another key.",
  billing_error: "Look at the account's balance with the provider, or give the server another key.",
  cloud_credential_error:
    "Renew the cloud credentials on the server, and name their variables in BREAKGLASS_AGENT_ENV.",
  model_not_found:
    "Ask for another model with the turn, or set BREAKGLASS_MODEL on the server to one that its account has.",
  rate_limit: "Wait, or raise the account's limits with the provider.",
  overloaded: PROVIDER,
  server_error: PROVIDER,
  max_output_tokens:
    "Ask for less at a time, or set CLAUDE_CODE_MAX_OUTPUT_TOKENS in the environment of breakglass.",
};

const CONNECTION =
  "The server's machine does not reach the model's API: look at its network, at HTTPS_PROXY and, where the server sets it, at " +
  "ANTHROPIC_BASE_URL, in the environment of breakglass.";

const NO_ANSWER =
  "If it lasts, look at the network of the server's machine, at HTTPS_PROXY and ANTHROPIC_BASE_URL where the server sets them, " +
  "and at the provider's status.";

/** The CLI gives what never reached the API the same name as what the API answered. */
const UNREACHED =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|Connection (error|refused)/;

/** A message, and what to do about it where there is something. */
export function withAdvice(message: string, error: string | null | undefined): string {
  if (error === "server_error" && UNREACHED.test(message)) return `${message}\n${CONNECTION}`;
  const advice = Object.hasOwn(ADVICE, error ?? "") ? ADVICE[error ?? ""] : undefined;
  return advice === undefined ? message : `${message}\n${advice}`;
}

/** As {@link withAdvice}, where the API did not answer at all: the CLI then calls the error `unknown`. */
export function withNoAnswerAdvice(message: string): string {
  return `${message}\n${NO_ANSWER}`;
}
