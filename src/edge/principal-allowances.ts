import { Allowance } from "../stream/allowance.ts";

/** So many principals are remembered: issuers and proxies name any number of them. */
const MOST_KEPT = 4096;

/** An allowance for each principal. The one that used its own least lately makes room, and has it whole again. */
export class PrincipalAllowances {
  readonly #each: readonly [most: number, perSecond: number];
  readonly #allowances = new Map<string, Allowance>();

  /** @param each - What each may use, as `Allowance` takes it. */
  constructor(each: readonly [most: number, perSecond: number]) {
    this.#each = each;
  }

  /** How many principals are remembered. */
  get size(): number {
    return this.#allowances.size;
  }

  /** A principal uses one. */
  use(principal: string): void {
    const allowance = this.#allowances.get(principal) ?? new Allowance(...this.#each);
    allowance.use();
    this.#allowances.delete(principal);
    this.#allowances.set(principal, allowance);
    if (this.#allowances.size <= MOST_KEPT) return;
    const [oldest] = this.#allowances.keys();
    this.#allowances.delete(oldest!);
  }

  /** Whether a principal has nothing of it now. */
  isUsedUp(principal: string): boolean {
    return this.#allowances.get(principal)?.isUsedUp ?? false;
  }
}
