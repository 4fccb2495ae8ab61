export const account = {
  asking: "Asking the server who you are …",
  signIn: "Sign in",
  signOut: "Sign out",
  token: "Token",
  remember: "Remember it in this browser",
  rememberHint:
    "Also when this tab is closed, together with what you saw last. Not on a machine that others use.",
  tokenNeeded: "This server wants to know who you are.",
  tokenRefused: "The server does not take this token, or does not take it any more.",
  signedOut: "You are signed out. This browser keeps nothing of you.",
  /** @param host - Where the page is from. */
  tokenHint: (host: string) =>
    `Give the token only to ${host}. Whoever runs the server makes one with “breakglass token create NAME”.`,
  otherHint:
    "Where you sign in by a certificate or at a proxy, the server did not get it: load the page again, and choose the certificate, or ask whoever runs the proxy.",
  withoutToken: "Go on without a token",
  refused: "The server lets nobody in here",
  refusedHints: {
    AGENT_NOT_ALLOWED:
      "This browser was started by the server's own agent. Open the page in a browser of your own.",
    ORIGIN_NOT_ALLOWED:
      "Open the page by a name that the server has, or have whoever runs it add this one to BREAKGLASS_ALLOWED_HOSTS, and behind a proxy the page's origin to BREAKGLASS_ALLOWED_ORIGINS.",
  } as Readonly<Record<string, string | undefined>>,
  unreachable: "The server does not answer",
  unreachableSince: (since: string) => `Since ${since}. It is asked again by itself.`,
  unreachableHint:
    "Turns that run go on without this page. Look at the network, and at the server: “systemctl status breakglass”.",
  tryAgain: "Try again now",
  away: (since: string, asOf: string) =>
    `The server has not answered since ${since}. This is as of ${asOf}.`,
};
