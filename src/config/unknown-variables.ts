import { closest, distance } from "fastest-levenshtein";
import {
  COMMAND_VARIABLE,
  type Environment,
  OWN_PREFIX,
  PROCESS_ID_VARIABLE,
} from "./environment.ts";
import { serviceLinks } from "./service-links.ts";
import { ALL_SETTINGS } from "./settings/sections.ts";

const SETTINGS = ALL_SETTINGS.map(({ variable }) => variable.slice(OWN_PREFIX.length));

/** Letters that may be wrong, at least and of the longer name: with more, the nearest setting is no more than a guess. */
const WRONG_LETTERS = 2;
const WRONG_PART = 0.4;

/**
 * A line for each variable that begins with `BREAKGLASS_`, in whatever case, and is no setting: with a mistake in its name, a
 * setting would go unheard. Names no values, any of which may be a secret. An empty variable counts as unset, this one too.
 */
export function unknownVariables(environment: Environment): string[] {
  const known = serviceLinks(environment).add(PROCESS_ID_VARIABLE).add(COMMAND_VARIABLE);
  for (const { variable } of ALL_SETTINGS) known.add(variable);
  return Object.entries(environment)
    .filter(([name, value]) => value && name.toUpperCase().startsWith(OWN_PREFIX))
    .filter(([name]) => !known.has(name))
    .map(([name]) => {
      const nearest = nearestSetting(name);
      const hint = nearest
        ? `did you mean ${nearest}?`
        : "`breakglass serve --help` lists the settings";
      return `${name} is not a setting: ${hint}`;
    })
    .sort();
}

function nearestSetting(name: string): string | undefined {
  const own = name.toUpperCase().slice(OWN_PREFIX.length);
  const nearest = closest(own, SETTINGS);
  const most = Math.max(WRONG_LETTERS, WRONG_PART * Math.max(own.length, nearest.length));
  return distance(own, nearest) <= most ? OWN_PREFIX + nearest : undefined;
}
