import { describe, expect, it } from "vitest";
import { formatTokenLine, parseTokenLine, tokenId } from "../../src/identity/token-line.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import { tokenLine } from "../support/test-server.ts";

const HASH = "ab".repeat(32);

describe("a token's line", () => {
  it.each([
    ["alice", ["operator"], undefined],
    ["alice roles=operator", ["operator"], undefined],
    ["alice roles=admin,viewer", ["viewer", "admin"], undefined],
    ["alice expires=2027-01-01T00:00:00Z", ["operator"], Date.UTC(2027, 0, 1)],
    [
      "alice  expires=2027-01-01T02:00:00+02:00\troles=approver",
      ["approver"],
      Date.UTC(2027, 0, 1),
    ],
  ])("says whose it is, what it may do and until when: %s", (rest, roles, expiresAt) => {
    const line = parseTokenLine(`  sha256:${HASH} ${rest}\r`);
    expect(line).toMatchObject({ principal: "alice", roles, expiresAt });
    expect(parseTokenLine(formatTokenLine(line))).toEqual(line);
    expect(tokenId(line)).toBe("abababababab");
  });

  it.each([
    ["alice roles=", /roles= takes viewer, operator, approver, admin/],
    ["alice roles=root", /roles= takes/],
    ["alice roles=operator,operator", /roles= takes/],
    ["alice roles=Operator", /roles= takes/],
    ["alice roles=operator roles=admin", /says roles= twice/],
    ["alice expires=2027-01-01", /expires= takes one with its zone/],
    ["alice expires=2027-01-01T00:00:00", /expires= takes/],
    ["alice expires=2027-13-01T00:00:00Z", /expires= takes/],
    ["alice expires=never", /expires= takes/],
    ["alice role=admin", /must be "sha256:"/],
    ["alice roles = admin", /must be "sha256:"/],
    ["alice admin", /must be "sha256:"/],
  ])("that is wrong is told by its number, and not by what it says: %s", (rest, words) => {
    const read = () => new Tokens(`# ours\n${tokenLine("a", "bob")}sha256:${HASH} ${rest}`, "/f");
    expect(read).toThrow(/^BREAKGLASS_TOKENS_FILE: \/f line 3 /);
    expect(read).toThrow(words);
    expect(read).not.toThrow(/alice|ababab/);
  });

  it("is nobody's from its end on", () => {
    const end = Date.UTC(2027, 0, 1);
    const tokens = new Tokens(tokenLine("t", "alice expires=2027-01-01T00:00:00Z"), "f");
    expect(tokens.ownerOf("t", end - 1)).toMatchObject({ name: "alice" });
    expect(tokens.ownerOf("t", end)).toBe("expired");
    expect(tokens.ownerOf("x", end)).toBe("unknown");
  });
});
