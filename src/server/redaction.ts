import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { Redaction } from "../redaction/redaction.ts";
import { secretValues } from "../redaction/secret-names.ts";

/**
 * What takes the secrets of a server out of what it writes.
 *
 * @throws ConfigError where there are more than can be looked for.
 */
export function createServerRedaction(config: ServeConfig): Redaction {
  const { environment, secretNames, notifyUrl = "" } = config;
  try {
    const values = secretValues({ ...environment, NOTIFY_URL: notifyUrl }, secretNames);
    return new Redaction({ values });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(
      "BREAKGLASS_SECRET_NAMES and variables that look secret hold more than can be looked for: have fewer or shorter ones in the server's environment",
    );
  }
}
