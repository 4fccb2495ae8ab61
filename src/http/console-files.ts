import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

/** A file of the built console in one encoding. */
export interface Representation {
  /** As `Content-Encoding` names it. Undefined: the file as it is. */
  readonly encoding: string | undefined;
  readonly body: Buffer;
  /** A strong validator: of these bytes alone. */
  readonly etag: string;
}

/** A file of the built console. */
export interface ConsoleFile {
  readonly mediaType: string;
  /** Its name is made of its content: another content has another name. */
  readonly isNamedByContent: boolean;
  /** The file as it is, and what the build has of it beside that; by their encodings, `identity` included. */
  readonly representations: ReadonlyMap<string, Representation>;
}

/** The files of the built console by their paths, as `/index.html`. */
export type ConsoleFiles = ReadonlyMap<string, ConsoleFile>;

/** What stands for the file as it is. */
export const IDENTITY = "identity";

/** The encodings that the build has files in beside their own, by what their names end with. */
const ENCODINGS: Readonly<Record<string, string>> = { ".br": "br", ".gz": "gzip" };
/** Where the bundler puts what it names by its content. */
const NAMED_BY_CONTENT = /^\/assets\//;
/** What every build has, and has last. */
const DOCUMENT = "index.html";
/** How long the folder is not looked for again. */
const LOOK_AGAIN_MS = 1000;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

/**
 * The built console of this package: its files, once it is there. They are read once, so that the page is there when the disk is not and
 * never of two builds. Until then it is looked for at most once a second.
 */
export class BuiltConsole {
  readonly #folder: string;
  #files: ConsoleFiles | undefined;
  #lookTime = Number.NEGATIVE_INFINITY;

  /** @param folder - Where the build is, or comes to be. */
  constructor(folder = join(packageFolder(), "console", "dist")) {
    this.#folder = folder;
    this.files();
  }

  /** Undefined: it has not been built. */
  files(): ConsoleFiles | undefined {
    const now = performance.now();
    if (this.#files === undefined && now - this.#lookTime >= LOOK_AGAIN_MS) {
      this.#lookTime = now;
      if (existsSync(join(this.#folder, DOCUMENT))) this.#files = readFiles(this.#folder);
    }
    return this.#files;
  }
}

function readFiles(folder: string): ConsoleFiles {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
  const files = new Map<string, ConsoleFile>();
  for (const path of paths) {
    if (extname(path) in ENCODINGS) continue;
    const representations = [IDENTITY, ...Object.values(ENCODINGS)].flatMap((encoding) => {
      const suffix = Object.keys(ENCODINGS).find((name) => ENCODINGS[name] === encoding) ?? "";
      return paths.includes(path + suffix) ? [readOne(join(folder, path + suffix), encoding)] : [];
    });
    files.set(path, {
      mediaType: MEDIA_TYPES[extname(path)] ?? "application/octet-stream",
      isNamedByContent: NAMED_BY_CONTENT.test(path),
      representations: new Map(representations),
    });
  }
  return files;
}

function readOne(path: string, encoding: string): readonly [string, Representation] {
  const body = readFileSync(path);
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return [encoding, { encoding: encoding === IDENTITY ? undefined : encoding, body, etag }];
}

/** Where the package is, which lies above this file wherever that was compiled to. */
function packageFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) || folder === dirname(folder)) return folder;
  }
}
