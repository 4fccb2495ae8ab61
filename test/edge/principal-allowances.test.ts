import { expect, it } from "vitest";
import { PrincipalAllowances } from "../../src/edge/principal-allowances.ts";

it("each principal has an allowance of its own", () => {
  const allowances = new PrincipalAllowances([2, 0]);
  allowances.use("alice");
  allowances.use("alice");
  allowances.use("bob");
  expect(["alice", "bob", "carol"].map((name) => allowances.isUsedUp(name))).toEqual([
    true,
    false,
    false,
  ]);
});

it("any number of principals takes a bounded part of memory, and who goes on is not forgotten for it", () => {
  const allowances = new PrincipalAllowances([2, 0]);
  for (let i = 0; i < 20_000; i++) {
    allowances.use(`one of many ${i}`);
    if (i % 1000 === 0) allowances.use("alice");
  }
  expect(allowances.size).toBe(4096);
  expect(allowances.isUsedUp("alice")).toBe(true);
});
