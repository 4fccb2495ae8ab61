import type { account as english } from "./account.en.ts";

export const account: typeof english = {
  asking: "Der Server wird gefragt, wer Sie sind …",
  signIn: "Anmelden",
  signOut: "Abmelden",
  token: "Token",
  remember: "In diesem Browser merken",
  rememberHint:
    "Auch wenn dieser Tab geschlossen wird, zusammen mit dem, was Sie zuletzt gesehen haben. Nicht auf einem Gerät, das auch andere benutzen.",
  tokenNeeded: "Dieser Server will wissen, wer Sie sind.",
  tokenRefused: "Der Server nimmt dieses Token nicht oder nicht mehr an.",
  signedOut: "Sie sind abgemeldet. Dieser Browser behält nichts von Ihnen.",
  tokenHint: (host) =>
    `Geben Sie das Token nur ${host}. Wer den Server betreibt, erstellt eines mit „breakglass token create NAME“.`,
  otherHint:
    "Wenn Sie sich mit einem Zertifikat oder an einem Proxy anmelden, kam es beim Server nicht an: Laden Sie die Seite neu und wählen Sie das Zertifikat, oder fragen Sie, wer den Proxy betreibt.",
  withoutToken: "Ohne Token weiter",
  refused: "Der Server lässt hier niemanden ein",
  refusedHints: {
    AGENT_NOT_ALLOWED:
      "Diesen Browser hat der Agent des Servers selbst gestartet. Öffnen Sie die Seite in Ihrem eigenen Browser.",
    ORIGIN_NOT_ALLOWED:
      "Öffnen Sie die Seite unter einem Namen, den der Server hat, oder lassen Sie diesen in BREAKGLASS_ALLOWED_HOSTS eintragen, hinter einem Proxy auch den Ursprung der Seite in BREAKGLASS_ALLOWED_ORIGINS.",
  },
  unreachable: "Der Server antwortet nicht",
  unreachableSince: (since) => `Seit ${since}. Er wird von selbst wieder gefragt.`,
  unreachableHint:
    "Was läuft, läuft ohne diese Seite weiter. Prüfen Sie das Netz und den Server: „systemctl status breakglass“.",
  tryAgain: "Jetzt noch einmal versuchen",
  away: (since, asOf) =>
    `Der Server antwortet seit ${since} nicht. Dies ist der Stand von ${asOf}.`,
};
