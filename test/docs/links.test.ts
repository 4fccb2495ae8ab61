import { existsSync, globSync } from "node:fs";
import { join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { anchors, links, namedFiles, type Page, pages, REPOSITORY } from "./pages.ts";

const all = pages();
const byPath = new Map(all.map((page) => [page.path, page]));

/** Where a link of a page goes: a path in the repository, and an anchor or an empty text. */
function targetOf(page: Page, link: string): { path: string; anchor: string } {
  const [file = "", anchor = ""] = link.split("#", 2);
  return { path: file === "" ? page.path : normalize(join(page.path, "..", file)), anchor };
}

const relative = (page: Page) => links(page).filter((link) => !/^[a-z]+:/.test(link));

describe("the documentation", () => {
  it.each(all)("has in $path only links that go somewhere", (page) => {
    const broken = relative(page).filter((link) => {
      const { path, anchor } = targetOf(page, link);
      if (!existsSync(join(REPOSITORY, path))) return true;
      const linked = byPath.get(path);
      return anchor !== "" && (linked === undefined || !anchors(linked).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it.each(all)("names in $path only files that are there", (page) => {
    const files = globSync("{src,test,gen,clients}/**/*.ts", { cwd: REPOSITORY }).map(
      (path) => `/${path}`,
    );
    const isThere = (name: string) => files.some((path) => path.endsWith(`/${name}`));
    expect(namedFiles(page).filter((name) => !isThere(name))).toEqual([]);
  });

  it("can be read from the README on", () => {
    const seen = new Set(["README.md"]);
    for (const path of seen) {
      const page = byPath.get(path);
      if (page === undefined) continue;
      for (const link of relative(page)) seen.add(targetOf(page, link).path);
    }
    expect(all.map(({ path }) => path).filter((path) => !seen.has(path))).toEqual([]);
  });

  it("begins with a README that a newcomer reads", () => {
    expect(byPath.get("README.md")!.text.trim().split(/\s+/).length).toBeLessThanOrEqual(900);
  });
});
