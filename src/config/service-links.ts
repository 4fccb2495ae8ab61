import { isIP } from "node:net";
import type { Environment } from "./environment.ts";

/** What follows the Service's name in a variable, and what such a variable says. */
const LINKS: readonly (readonly [name: RegExp, value: RegExp])[] = [
  [/^SERVICE_HOST$/, /^[0-9a-fA-F.:]+$/],
  [/^SERVICE_PORT(_[A-Z0-9_]+)?$/, /^\d{1,5}$/],
  [/^PORT(_\d{1,5}_(TCP|UDP|SCTP))?$/, /^(tcp|udp|sctp):\/\/[0-9a-fA-F.:[\]]+:\d{1,5}$/],
  [/^PORT_\d{1,5}_(TCP|UDP|SCTP)_PROTO$/, /^(tcp|udp|sctp)$/],
  [/^PORT_\d{1,5}_(TCP|UDP|SCTP)_PORT$/, /^\d{1,5}$/],
  [/^PORT_\d{1,5}_(TCP|UDP|SCTP)_ADDR$/, /^[0-9a-fA-F.:]+$/],
];

/**
 * The variables by which Kubernetes tells every pod of a namespace of a Service named `breakglass` or `breakglass-…`
 * (kubelet's `envvars.FromServices`). None is a setting, and nobody chose them. A Service has an address, so that none of them
 * counts without a `…_SERVICE_HOST` that is one.
 */
export function serviceLinks(environment: Environment): Set<string> {
  const variables = Object.entries(environment);
  const services = variables.flatMap(([name, value = ""]) => {
    const service = /^(BREAKGLASS(?:_[A-Z0-9_]+)?)_SERVICE_HOST$/.exec(name)?.[1];
    return service !== undefined && isIP(value) !== 0 ? service : [];
  });
  const links = variables.filter(([name, value = ""]) =>
    services.some((service) => isLinkOf(service, name, value)),
  );
  return new Set(links.map(([name]) => name));
}

function isLinkOf(service: string, name: string, value: string): boolean {
  if (!name.startsWith(`${service}_`)) return false;
  const rest = name.slice(service.length + 1);
  return LINKS.some(([names, values]) => names.test(rest) && values.test(value));
}
