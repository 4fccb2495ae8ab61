import type { HttpRequest } from "../edge/http.ts";
import { Problem } from "./problem.ts";

/**
 * Refuses other methods. A preflight is answered before anything is routed.
 *
 * @throws Problem 405
 */
export function allowMethods({ method }: HttpRequest, methods: readonly string[]): void {
  if (method !== undefined && methods.includes(method)) return;
  const allow = [...methods, "OPTIONS"].join(", ");
  throw new Problem(405, `this takes ${allow}`, { allow });
}
