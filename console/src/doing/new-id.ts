// Not the browser's `crypto.randomUUID`: over plain http it has none.
export { randomUuid as newId } from "../../../clients/typescript/src/random-uuid.ts";
