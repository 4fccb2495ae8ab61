import { throwExhaustion } from "../../exhaustion.ts";
import { OpenDirectory } from "../../files/open-directory.ts";

/** The workspace is not there, or something else is in its place. */
export class WorkspaceError extends Error {
  readonly code = "ENOTDIR";
}

/**
 * Opens the directory that a process is to work in. The agent could write to it: it is looked at anew before each use, and
 * the process is started in what was looked at.
 *
 * @throws WorkspaceError; Error where there is no descriptor left to open it with.
 */
export async function openWorkspace(workspace: string): Promise<OpenDirectory> {
  try {
    return await OpenDirectory.open(workspace);
  } catch (error) {
    throwExhaustion(error);
    const { code, message } = error as NodeJS.ErrnoException;
    const isOther = code === "ENOTDIR" || code === "ELOOP";
    throw new WorkspaceError(isOther ? `${workspace} is not a directory` : message);
  }
}
