import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** PEM of a certificate and its key. */
export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Somebody who signs the certificates of clients. */
export interface Authority {
  /** The path of its certificate. */
  readonly path: string;
  /**
   * Signs one.
   *
   * @param subject - As openssl takes it: `/O=Ops/CN=alice`.
   * @param alternatives - Kinds and values: `DNS:a.example`, `URI:spiffe://x/y`.
   */
  sign(subject: string, alternatives?: readonly string[], options?: SignOptions): Pair;
}

interface SignOptions {
  /** What it may be used for. */
  readonly usage?: string;
  /** For how long it holds; below 0: it is over. */
  readonly days?: number;
}

const KIND = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes one in a directory, by openssl. */
export function createAuthority(directory: string, name: string): Authority {
  const [path, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  run("req", "-x509", ...KIND, "-subj", `/CN=${name}`, "-keyout", key, "-out", path);
  let made = 0;
  return {
    path,
    sign(subject, alternatives = [], { usage = "clientAuth", days = 1 } = {}) {
      const own = join(directory, `${name}-${made++}`);
      // In a section of its own, where a comma is a part of a value.
      const section = alternatives.map((alternative, index) => {
        const [, kind, value] = /^(\w+):(.*)$/s.exec(alternative) ?? [];
        return `${kind}.${index} = ${value}`;
      });
      const extensions = [
        `extendedKeyUsage = ${usage}`,
        ...(section.length > 0 ? ["subjectAltName = @names", "[names]", ...section] : []),
      ];
      writeFileSync(`${own}.ext`, `${extensions.join("\n")}\n`);
      run("req", ...KIND, "-utf8", "-subj", subject, "-keyout", `${own}.key`, "-out", `${own}.csr`);
      run(
        ...["x509", "-req", "-in", `${own}.csr`, "-CA", path, "-CAkey", key],
        ...["-extfile", `${own}.ext`, "-out", `${own}.pem`, "-days", String(days)],
      );
      return { cert: readFileSync(`${own}.pem`), key: readFileSync(`${own}.key`) };
    },
  };
}

function run(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}
