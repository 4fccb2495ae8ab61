import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's directory. */
export const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the documentation. */
export interface Page {
  /** Its path in the repository, such as `docs/api.md`. */
  readonly path: string;
  readonly text: string;
}

/** Every page of the documentation, the README and the papers beside it included. */
export function pages(): Page[] {
  const paths = globSync(["*.md", "docs/**/*.md", "clients/*/README.md"], {
    cwd: REPOSITORY,
  }).toSorted();
  return paths.map((path) => ({ path, text: readFileSync(join(REPOSITORY, path), "utf8") }));
}

/** A block of code in a page. */
export interface Sample {
  /** Where it stands, such as `docs/api.md:46`. */
  readonly place: string;
  readonly code: string;
}

/** The page's blocks of code in a language. */
export function samples({ path, text }: Page, language: "sh" | "ts"): Sample[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)]
    .filter(([, , found]) => found === language)
    .map(({ index, 3: code = "" }) => ({
      place: `${path}:${text.slice(0, index).split("\n").length}`,
      code,
    }));
}

/** Where the page's links go, as they are written. */
export function links({ text }: Page): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** The files of code that the page names, whole or by the end of their paths. */
export function namedFiles({ text }: Page): string[] {
  return [...withoutBlocks(text).matchAll(/`([\w./-]+\.ts)`/g)].map(([, file = ""]) => file);
}

/** The names by which the page's headings can be linked to, as GitHub makes them. */
export function anchors({ text }: Page): string[] {
  return [...withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, "");
}

/** What is no code: brackets there are no links. */
function prose(text: string): string {
  return withoutBlocks(text).replaceAll(/(?<!\[)`[^`\n]*`(?!\])/g, "");
}
