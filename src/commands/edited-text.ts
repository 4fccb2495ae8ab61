import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEditor } from "../config/environment.ts";

/** The editor could not be run, or failed. The message is one line. */
export class EditorError extends Error {
  override readonly name = "EditorError";
}

/**
 * Has the person at the terminal edit a text, in a file that is theirs alone and gone afterwards.
 *
 * @param name - The file's, whose end tells the editor what it is.
 * @throws EditorError
 */
export async function editedText(name: string, text: string): Promise<string> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "breakglass-"));
  const file = join(folder.path, name);
  await writeFile(file, text, { mode: 0o600 });
  const editor = readEditor();
  // By a shell, as git does: the variable may hold options.
  const child = spawn("/bin/sh", ["-c", `${editor} "$1"`, editor, file], { stdio: "inherit" });
  const [status] = await once(child, "exit");
  if (status !== 0) throw new EditorError(`${editor} failed (VISUAL and EDITOR name another)`);
  return readFile(file, "utf8");
}
