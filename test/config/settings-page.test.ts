import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { settingsPage } from "../../scripts/settings-page.ts";
import { ALL_SETTINGS } from "../../src/config/settings/sections.ts";

describe("docs/settings.md", () => {
  it("is what `npm run generate` makes of the settings", () => {
    const path = new URL("../../docs/settings.md", import.meta.url);
    expect(readFileSync(path, "utf8")).toBe(settingsPage());
  });

  it("has a row of four cells for each setting", () => {
    const rows = settingsPage().match(/^\| `BREAKGLASS_.*$/gm) ?? [];
    expect(rows.map((row) => /`(\w+)`/.exec(row)?.[1]).sort()).toEqual(
      ALL_SETTINGS.map(({ variable }) => variable).sort(),
    );
    for (const row of rows) expect(row.split(/(?<!\\)\|/), row).toHaveLength(6);
  });
});
