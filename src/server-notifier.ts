import { X509Certificate } from "node:crypto";
import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Log } from "./log.ts";
import { Notifier } from "./notify/notifier.ts";
import { RETRY_TIMES } from "./notify/retry-times.ts";
import { WebhookEndpoint } from "./notify/webhook-endpoint.ts";
import { WebhookSecrets } from "./notify/webhook-secrets.ts";
import { isLoopback } from "./rpc/hosts.ts";
import { readSettingFile } from "./setting-file.ts";
import { SettingSource } from "./setting-source.ts";
import type { HappeningKind } from "./store/outbox.ts";
import type { Store } from "./store/store.ts";

/** What notifications need of files, which can be read again. */
export interface NotifierFiles {
  readonly notifySecrets: SettingSource<WebhookSecrets> | undefined;
  /** In PEM. */
  readonly notifyCa: SettingSource<string> | undefined;
}

/** @throws ConfigError where one cannot be used, or is missing. */
export function readNotifierFiles(config: ServeConfig): NotifierFiles {
  const { notifyUrl, notifySecretFile, notifyCa } = config;
  if (notifyUrl === undefined) return { notifySecrets: undefined, notifyCa: undefined };
  if (notifySecretFile === undefined) {
    throw new ConfigError(
      "BREAKGLASS_NOTIFY_URL is set, but BREAKGLASS_NOTIFY_SECRET_FILE is not: name the file with the secret that the receiver verifies messages by",
    );
  }
  const secrets = () => WebhookSecrets.read(notifySecretFile);
  const ca = notifyCa === undefined ? undefined : () => readAuthorities(notifyCa);
  return {
    notifySecrets: new SettingSource("BREAKGLASS_NOTIFY_SECRET_FILE", secrets),
    notifyCa: ca && new SettingSource("BREAKGLASS_NOTIFY_CA", ca),
  };
}

/** The kinds that go into the outbox. Undefined: nobody is to be told of anything. */
export function toldKindsOf({
  notifyUrl,
  notifyKinds,
}: ServeConfig): ReadonlySet<HappeningKind> | undefined {
  return notifyUrl === undefined ? undefined : new Set(notifyKinds);
}

/** What tells a receiver of what happens. Undefined: nobody is to be told. */
export function createNotifier(
  config: ServeConfig,
  { notifySecrets, notifyCa }: NotifierFiles,
  store: Store,
  redact: (text: string) => string,
  log: Log,
): Notifier | undefined {
  const { notifyUrl: url, publicUrl, notifyContent, notifyKeepMs, notifyTimeoutMs } = config;
  if (url === undefined || notifySecrets === undefined) return undefined;
  const hasContent = notifyContent === "1";
  const ca = () => notifyCa?.current;
  const endpoint = new WebhookEndpoint({ url, timeoutMs: notifyTimeoutMs, ca });
  const { protocol, hostname } = new URL(url);
  if (protocol === "http:" && !isLoopback(hostname)) {
    const why = "BREAKGLASS_NOTIFY_URL is http, and whoever is on the way can read them";
    log.warn("notifications are signed, but not encrypted", { to: endpoint.shown, why });
  }
  return new Notifier({
    ...{ store, endpoint, secrets: () => notifySecrets.current, log },
    messages: { publicUrl, hasContent, redact },
    ...{ keepMs: notifyKeepMs, times: RETRY_TIMES },
  });
}

/** The same store, which wakes the notifier once something to be told is on disk. */
export function wakingStore(store: Store, wake: () => void): Store {
  return {
    ...store,
    append(batch, epoch) {
      const appended = store.append(batch, epoch);
      if (batch.happenings !== undefined) appended.then(wake, () => {});
      return appended;
    },
  };
}

function readAuthorities(path: string): string {
  const file = { variable: "BREAKGLASS_NOTIFY_CA", path, isSecret: false };
  const pem = readSettingFile(file).toString("utf8");
  try {
    new X509Certificate(pem);
  } catch {
    throw new ConfigError(
      `BREAKGLASS_NOTIFY_CA is ${JSON.stringify(path)}, which holds no certificate in PEM`,
    );
  }
  return pem;
}
