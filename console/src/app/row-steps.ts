/** Moves the focus to the next row of what is shown, or the one before. Rows are what has `data-row`. */
export function stepRow(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const current = document.activeElement?.closest<HTMLElement>("[data-row]");
  const index = current == null ? -1 : rows.indexOf(current);
  const next = index === -1 ? (by === 1 ? 0 : rows.length - 1) : index + by;
  const row = rows[next];
  row?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
}
