import { startCommand } from "../../bench/service.ts";
import { createGround, type Ground } from "../ground.ts";

/** A ground whose server runs with the options of Node, and the environment, that `npm start` gives it: for what is weighed. */
export async function createStartGround(
  settings: Readonly<Record<string, string>>,
): Promise<Ground> {
  const start = await startCommand();
  const options = start.arguments.filter((argument) => argument.startsWith("--"));
  return createGround({ NODE_OPTIONS: options.join(" "), ...start.environment, ...settings });
}
