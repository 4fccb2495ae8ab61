/** What a page of the console shows, as its address says. */
export type Route =
  | { readonly view: "desk" }
  | { readonly view: "turn"; readonly turnId: string }
  /** `principal` is whose session it is. Empty: one's own. */
  | { readonly view: "session"; readonly sessionId: string; readonly principal: string }
  | { readonly view: "unknown" };

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** The page's address: what it shows is in its path, how that is filtered in its query. Nothing secret is ever in either. */
class Address {
  #path = $state(globalThis.location?.pathname ?? "/");
  #query = $state(globalThis.location?.search ?? "");
  readonly route = $derived(routeOf(this.#path, this.query));

  constructor() {
    globalThis.addEventListener?.("popstate", () => this.#read());
  }

  get path(): string {
    return this.#path;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#query);
  }

  /** Goes to another view, or changes the query. @param isReplacing - The way back does not lead to where one was. */
  go(href: string, isReplacing = false): void {
    if (isReplacing) history.replaceState(null, "", href);
    else history.pushState(null, "", href);
    this.#read();
  }

  #read(): void {
    this.#path = location.pathname;
    this.#query = location.search;
  }
}

export const address = new Address();

export function turnPath(turnId: string): string {
  return `/turns/${turnId}`;
}

/** @param principal - Whose session it is. Empty: one's own. */
export function sessionPath(sessionId: string, principal: string): string {
  const whose = principal === "" ? "" : `?${new URLSearchParams({ principal })}`;
  return `/sessions/${sessionId}${whose}`;
}

/** Follows links within the page without loading it again. */
export function followLinks(event: MouseEvent): void {
  const isPlain =
    event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (
    !isPlain ||
    event.defaultPrevented ||
    link === null ||
    link.target !== "" ||
    link.hasAttribute("download")
  )
    return;
  if (link.origin !== location.origin) return;
  event.preventDefault();
  address.go(link.pathname + link.search);
}

/** What a path and a query show. */
export function routeOf(path: string, query: URLSearchParams): Route {
  const [, folder = "", id = "", ...more] = path.split("/");
  if (path === "/") return { view: "desk" };
  if (more.length > 0 || !UUID.test(id)) return { view: "unknown" };
  if (folder === "turns") return { view: "turn", turnId: id };
  if (folder === "sessions")
    return { view: "session", sessionId: id, principal: query.get("principal") ?? "" };
  return { view: "unknown" };
}
