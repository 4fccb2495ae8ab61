import { ConfigError } from "../config/config-error.ts";

/** What plays the model. It is no dependency of the service's: only who rehearses needs it. */
const MODEL_PACKAGE = "@copilotkit/aimock";

/**
 * Loads a command that has the model played.
 *
 * @throws ConfigError where the package that plays it is not installed.
 */
export async function withModel<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes(MODEL_PACKAGE)) throw error;
    throw new ConfigError(
      `this needs ${MODEL_PACKAGE}, which plays the model and is not installed: npm install ${MODEL_PACKAGE}`,
    );
  }
}
