import { Webhook } from "standardwebhooks";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile } from "../setting-file.ts";

const LINE = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
/** What Standard Webhooks asks of a secret, in bytes. */
const BYTES = { least: 24, most: 64 };

/** What a webhook is sent with, beside its body. */
export type SignedHeaders = Readonly<
  Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>
>;

/** The secrets that webhooks are signed with: each signs, so that the receiver need only have one of them. */
export class WebhookSecrets {
  readonly #webhooks: readonly Webhook[];

  /**
   * Reads a file with a secret a line. Empty lines and lines that begin with # say nothing.
   *
   * @throws ConfigError that names the line to mend, and never what stands in it.
   */
  static read(path: string): WebhookSecrets {
    const file = { variable: "BREAKGLASS_NOTIFY_SECRET_FILE", path, isSecret: true };
    return new WebhookSecrets(readSettingFile(file).toString("utf8"), path);
  }

  constructor(text: string, path: string) {
    this.#webhooks = text
      .split("\n")
      .map((line, index) => [line.trim(), index + 1] as const)
      .filter(([line]) => line !== "" && !line.startsWith("#"))
      .map(([line, number]) => webhookOf(line, number, path));
    if (this.#webhooks.length > 0) return;
    throw new ConfigError(
      `BREAKGLASS_NOTIFY_SECRET_FILE is ${JSON.stringify(path)}, which holds no secret`,
    );
  }

  /** The headers of one attempt to send a body. */
  sign(id: string, body: string, time: Date): SignedHeaders {
    const signatures = this.#webhooks.map((webhook) => webhook.sign(id, time, body));
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(time.getTime() / 1000)),
      "webhook-signature": signatures.join(" "),
    };
  }
}

function webhookOf(text: string, line: number, path: string): Webhook {
  const base64 = LINE.exec(text)?.[1];
  const key = Buffer.from(base64 ?? "", "base64");
  if (base64 === undefined || key.length < BYTES.least || key.length > BYTES.most) {
    throw new ConfigError(
      `BREAKGLASS_NOTIFY_SECRET_FILE: ${path} line ${line} must be "whsec_" with ${BYTES.least} to ${BYTES.most} bytes in base64, such as \`echo whsec_$(openssl rand -base64 32)\` makes`,
    );
  }
  return new Webhook(key, { format: "raw" });
}
