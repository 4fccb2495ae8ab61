import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Makes a certificate for 127.0.0.1 in a directory, and answers the variables of a server that shows it.
 *
 * @param name - A name that it is for as well.
 */
export function makeCertificate(directory: string, name = "localhost"): Record<string, string> {
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=IP:127.0.0.1,DNS:${name}`];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...kind, ...subject, ...files], { stdio: "pipe" });
  return { BREAKGLASS_TLS_CERT: cert, BREAKGLASS_TLS_KEY: key };
}

/**
 * Puts another certificate for the same key in the place of one, which ends then and has held for ten days by then.
 *
 * `openssl ca` alone makes one that has ended, in all versions.
 *
 * @param variables - Those of the server that shows it.
 * @param end - In milliseconds since the epoch.
 */
export function renewCertificate(
  directory: string,
  variables: Readonly<Record<string, string>>,
  end: number,
): void {
  const { BREAKGLASS_TLS_CERT: cert = "", BREAKGLASS_TLS_KEY: key = "" } = variables;
  const [config, request] = [join(directory, "ca.conf"), join(directory, "request.pem")];
  writeFileSync(join(directory, "index.txt"), "");
  const settings = [
    ...["[ca]", "default_ca = any", "[any]", `database = ${join(directory, "index.txt")}`],
    ...[`new_certs_dir = ${directory}`, "rand_serial = yes", "default_md = sha256"],
    ...["policy = names", "[names]", "commonName = supplied", "[req]", "distinguished_name = none"],
    "[none]",
  ];
  writeFileSync(config, settings.join("\n"));
  const run = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const named = ["-config", config, "-subj", "/CN=localhost"];
  run("req", "-new", "-key", key, ...named, "-out", request);
  const times = ["-startdate", asn1(end - 10 * 86_400_000), "-enddate", asn1(end)];
  const signed = ["-batch", "-selfsign", "-keyfile", key, "-config", config, "-notext", ...times];
  run("ca", ...signed, "-in", request, "-out", cert);
}

/** A time as `openssl ca` takes it: 20260102030405Z. */
function asn1(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
}
