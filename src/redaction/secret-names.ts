import { type Environment, OWN_PREFIX } from "../config/environment.ts";

/** Words in the names of variables that hold secrets. */
const SECRET =
  /(?:^|_)(?:(?:API|ACCESS|PRIVATE|SECRET|SIGNING|ENCRYPTION)?KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|PASS|CREDENTIALS?|AUTH|COOKIES?|HEADERS)(?:_|$)|[A-Z]_?PWD$|PAT$|(?:TOKEN|PASSWORD|SECRET|APIKEY)$/i;
/** Those that say where one is, or something about it. */
const ABOUT =
  /(?:^OLDPWD|^GOOGLE_APPLICATION_CREDENTIALS|_(?:FILE|PATH|DIR|SOCK|URL|URI|HOST|PORT|ID|NAME|NAMES|TYPE|METHOD|SECONDS|MS|PATHS|FILES))$/i;

/**
 * The secrets in an environment: the values of variables whose names say so and of those that are named, and the passwords
 * in addresses.
 */
export function secretValues(environment: Environment, names: readonly string[]): string[] {
  const named = new Set(names);
  const values = Object.entries(environment).flatMap(([name, value = ""]) => {
    const isSecret = named.has(name) || (looksSecret(name) && !isOwnSetting(name));
    return isSecret ? [value, value.trim()] : passwordOf(value);
  });
  return [...new Set(values)].filter((value) => value !== "");
}

/** Whether a variable holds a secret, by its name. */
export function looksSecret(name: string): boolean {
  return SECRET.test(name) && !ABOUT.test(name);
}

/** Settings name files with secrets. The one that is a secret itself says so. */
function isOwnSetting(name: string): boolean {
  return name.startsWith(OWN_PREFIX) && name !== `${OWN_PREFIX}TOKEN`;
}

/** Of an address such as `https://user:password@proxy:3128`. */
function passwordOf(value: string): string[] {
  if (!value.includes("://") || !URL.canParse(value)) return [];
  const { password } = new URL(value);
  return password === "" ? [] : [password, decoded(password)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
