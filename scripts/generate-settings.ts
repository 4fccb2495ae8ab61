import { writeFileSync } from "node:fs";
import { settingsPage } from "./settings-page.ts";

// node scripts/generate-settings.ts [FILE]
writeFileSync(process.argv[2] ?? "docs/settings.md", settingsPage());
