import { describe, expect, it } from "vitest";
import { routeOf, sessionPath, turnPath } from "../src/app/address.svelte.ts";

const ID = "0196f3c4-7d5e-7a30-9d0a-0123456789ab";

function routeAt(href: string) {
  const { pathname, searchParams } = new URL(href, "http://127.0.0.1");
  return routeOf(pathname, searchParams);
}

describe("an address", () => {
  it("leads to what it was made for", () => {
    expect(routeAt("/")).toEqual({ view: "desk" });
    expect(routeAt("/?state=failed")).toEqual({ view: "desk" });
    expect(routeAt(turnPath(ID))).toEqual({ view: "turn", turnId: ID });
    expect(routeAt(sessionPath(ID, ""))).toEqual({ view: "session", sessionId: ID, principal: "" });
  });

  it.each(["alice", "ops/night & day?", "a+b=c#d", "x@example.com"])(
    "names whose session it is: %s",
    (principal) => {
      expect(routeAt(sessionPath(ID, principal))).toEqual({
        view: "session",
        sessionId: ID,
        principal,
      });
    },
  );

  it.each([
    "/turns/",
    "/turns/x",
    `/turns/${ID}/more`,
    `/turn/${ID}`,
    "/sessions",
    "//example.com",
  ])("that leads nowhere says so: %s", (path) => {
    expect(routeOf(path, new URLSearchParams())).toEqual({ view: "unknown" });
  });
});
