import { writeFileSync } from "node:fs";
import { openApiDocument } from "../src/http/openapi.ts";

// node scripts/write-openapi.ts FILE
writeFileSync(process.argv[2]!, JSON.stringify(openApiDocument(), undefined, 2));
