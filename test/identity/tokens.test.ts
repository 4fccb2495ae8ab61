import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokens } from "../../src/identity/tokens.ts";
import { tokenOwner } from "../support/presented.ts";
import { tokenLine } from "../support/test-server.ts";

const FILE = `# the operators\n\n${tokenLine("alpha", "alice")}${tokenLine("beta", "bob").toUpperCase().replace("SHA256", "sha256").replace("BOB", "bob")}`;

describe("Tokens", () => {
  const tokens = new Tokens(FILE, "tokens");

  it.each([
    ["Bearer alpha", "alice"],
    ["bearer alpha", "alice"],
    ["Bearer  alpha ", "alice"],
    ["Bearer beta", "bob"],
  ])("know whose %j is", (header, principal) => {
    expect(tokenOwner(tokens, header)?.name).toBe(principal);
  });

  it.each([
    null,
    "",
    "Bearer",
    "Bearer ",
    "alpha",
    "Basic alpha",
    "Bearer Alpha",
    "Bearer alpha beta",
    "Bearer alphaa",
    "Bearer gamma",
    "xBearer alpha",
  ])("know nobody by %j", (header) => {
    expect(tokenOwner(tokens, header)).toBeUndefined();
  });

  it("know nobody by a token whose hash is in a part the same", () => {
    const hashOf = (token: string) => createHash("sha256").update(token).digest();
    const alpha = hashOf("alpha");
    // For each byte one that agrees in it.
    for (let byte = 0; byte < alpha.length; byte++) {
      let guess = 0;
      while (hashOf(`guess-${guess}`)[byte] !== alpha[byte]) guess++;
      expect(tokenOwner(tokens, `Bearer guess-${guess}`)).toBeUndefined();
    }
  });

  it.each([
    "alpha alice",
    `sha256:${"0".repeat(63)} alice`,
    `sha256:${"g".repeat(64)} alice`,
    `sha256:${"0".repeat(64)}`,
    `sha256:${"0".repeat(64)} alice bob`,
    `md5:${"0".repeat(64)} alice`,
  ])("tell which line to mend, and not what stands in it: %s", (line) => {
    const read = () => new Tokens(`${tokenLine("alpha", "alice")}${line}\n`, "/etc/tokens");
    expect(read).toThrow(/^BREAKGLASS_TOKENS_FILE: \/etc\/tokens line 2 must be [^\n]*$/);
    expect(read).not.toThrow(line);
  });

  it("are not to be none: everyone would be kept out", () => {
    expect(() => new Tokens("# nothing yet\n\n", "tokens")).toThrow(/which holds no token$/);
  });

  it("are read from a file, and it is said where there is none", async () => {
    const folder = await mkdtemp(join(tmpdir(), "breakglass-tokens-"));
    const path = join(folder, "tokens");
    expect(() => Tokens.read(path)).toThrow(
      `BREAKGLASS_TOKENS_FILE is ${JSON.stringify(path)}, which cannot be read: ENOENT`,
    );
    await writeFile(path, FILE.replaceAll("\n", "\r\n"), { mode: 0o600 });
    expect(tokenOwner(Tokens.read(path), "Bearer alpha")?.name).toBe("alice");
    await rm(folder, { recursive: true });
  });
});
