import type { Row, ToolRow } from "./rows.svelte.ts";

/**
 * Rows in the order of a page: those of a call's subagent stand below the call, the others as they come.
 *
 * 1. A row that comes last of all costs the same in any tree. After one that does not, `order` looks at all rows.
 */
export class RowTree {
  /** As `order` left them; between its calls some may be missing. */
  rows: Row[] = [];
  /** Rows of no call. */
  readonly #roots: Row[] = [];
  #isOutOfOrder = false;

  add(row: Row): void {
    const { parent } = row;
    if (parent === undefined) this.#roots.push(row);
    else {
      parent.children.push(row);
      // Looked for once: a chain of calls may be long.
      this.#isOutOfOrder ||= !isBelow(this.rows.at(-1), parent);
    }
    if (!this.#isOutOfOrder) this.rows.push(row); // 1.
  }

  /** Takes out a row of no call. */
  remove(row: Row): void {
    this.#roots.splice(this.#roots.lastIndexOf(row), 1);
    this.#isOutOfOrder = true;
  }

  order(): void {
    if (!this.#isOutOfOrder) return;
    this.#isOutOfOrder = false;
    const rows: Row[] = [];
    // Not by recursion: how deep it goes is not ours to say.
    const open: { readonly of: readonly Row[]; next: number }[] = [{ of: this.#roots, next: 0 }];
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const row = last.of[last.next++];
      if (row === undefined) open.pop();
      else {
        rows.push(row);
        if (row.kind === "tool" && row.children.length > 0) {
          open.push({ of: row.children, next: 0 });
        }
      }
    }
    this.rows = rows;
  }
}

function isBelow(row: Row | undefined, call: ToolRow): boolean {
  for (let above = row; above !== undefined; above = above.parent) {
    if (above === call) return true;
  }
  return false;
}
