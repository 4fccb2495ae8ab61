import { execFileSync } from "node:child_process";
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
