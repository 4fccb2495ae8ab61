import { X509Certificate } from "node:crypto";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { Notifier } from "../notify/notifier.ts";
import { RETRY_TIMES } from "../notify/retry-times.ts";
import { testMessage } from "../notify/test-message.ts";
import { type Attempt, WebhookEndpoint } from "../notify/webhook-endpoint.ts";
import { type SignedHeaders, WebhookSecrets } from "../notify/webhook-secrets.ts";
import { isLoopback } from "../rpc/hosts.ts";
import { readSettingFile } from "../setting-file.ts";
import { SettingSource } from "../setting-source.ts";
import type { NotificationKind } from "../store/outbox.ts";
import type { Store } from "../store/store.ts";

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
}: ServeConfig): ReadonlySet<NotificationKind> | undefined {
  return notifyUrl === undefined ? undefined : new Set(notifyKinds);
}

/** Where notifications are sent to, and what signs them. */
interface Receiver {
  readonly endpoint: WebhookEndpoint;
  /** As the file has them now. */
  readonly secrets: () => WebhookSecrets;
  /** Why whoever is on the way can read them. Undefined: nobody can. */
  readonly unencrypted: string | undefined;
}

/** Whom to tell of what happens. Undefined: nobody. */
function openReceiver(
  { notifyUrl: url, notifyTimeoutMs: timeoutMs }: ServeConfig,
  { notifySecrets, notifyCa }: NotifierFiles,
): Receiver | undefined {
  if (url === undefined || notifySecrets === undefined) return undefined;
  const endpoint = new WebhookEndpoint({ url, timeoutMs, ca: () => notifyCa?.current });
  const { protocol, hostname } = new URL(url);
  const isOpen = protocol === "http:" && !isLoopback(hostname);
  const why = "BREAKGLASS_NOTIFY_URL is http, and whoever is on the way can read them";
  const unencrypted = isOpen ? why : undefined;
  return { endpoint, secrets: () => notifySecrets.current, unencrypted };
}

/** What came of a test that was sent to the receiver. */
export interface ReceiverTrial {
  readonly attempt: Attempt;
  /** How long it took. */
  readonly ms: number;
  /** The receiver, without what opens it. */
  readonly to: string;
  readonly headers: SignedHeaders;
  /** As in `Receiver`. */
  readonly unencrypted: string | undefined;
}

/**
 * Sends one test to the receiver that a server with these settings would notify, once.
 *
 * @param stop - Ends it.
 * @throws ConfigError where there is none, or a file cannot be used.
 */
export async function tryReceiver(config: ServeConfig, stop: AbortSignal): Promise<ReceiverTrial> {
  const receiver = openReceiver(config, readNotifierFiles(config));
  if (receiver === undefined) {
    throw new ConfigError(
      "BREAKGLASS_NOTIFY_URL is not set: name the receiver that notifications are sent to",
    );
  }
  const { endpoint, secrets, unencrypted } = receiver;
  const time = new Date();
  const { id, body } = testMessage(time);
  const headers = secrets().sign(id, body, time);
  const began = performance.now();
  const attempt = await endpoint.post(body, headers, stop);
  const ms = Math.round(performance.now() - began);
  return { attempt, ms, to: endpoint.shown, headers, unencrypted };
}

/** What tells a receiver of what happens. Undefined: nobody is to be told. */
export function createNotifier(
  config: ServeConfig,
  files: NotifierFiles,
  store: Store,
  redact: (text: string) => string,
  log: Log,
): Notifier | undefined {
  const { publicUrl, notifyContent, notifyKeepMs } = config;
  const receiver = openReceiver(config, files);
  if (receiver === undefined) return undefined;
  const { endpoint, secrets, unencrypted: why } = receiver;
  const hasContent = notifyContent === "1";
  if (why !== undefined) {
    log.warn("notifications are signed, but not encrypted", { to: endpoint.shown, why });
  }
  return new Notifier({
    ...{ store, endpoint, secrets, log },
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
      if (batch.notifications !== undefined) appended.then(wake, () => {});
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
