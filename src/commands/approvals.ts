import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type PendingApproval,
  PendingApprovalSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { openApprovalText } from "./approval-text.ts";
import { callServer } from "./call-server.ts";
import { type CommandForm, commandForm } from "./command-form.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { allPages, PAGE_SIZE, printList } from "./list-pages.ts";
import type { ListOptions } from "./sessions.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, type Printable, print } from "./terminal-text.ts";
import { inTime } from "./time-text.ts";

const NAME_CHARACTERS = 100;

/** Prints what waits for an approval in all turns that the caller may see, with the commands that answer it. */
export async function approvals(options: ListOptions): Promise<ExitStatus> {
  const { json, limit } = options;
  return callServer(options, async (client, terminal) => {
    const listed = allPages(async (pageToken) => {
      const pageSize = Math.min(PAGE_SIZE, limit ?? PAGE_SIZE);
      const page = await client.listApprovals({ pageToken, pageSize });
      return { items: page.approvals, nextPageToken: page.nextPageToken };
    });
    const command = commandForm(options.url);
    const line = (approval: PendingApproval) =>
      json
        ? jsonLine(PendingApprovalSchema, approval)
        : pendingApprovalText(approval, terminal, command);
    const none = json ? undefined : print`Nothing waits for an approval.`;
    await printList(listed, { line, none, limit }, terminal);
    return ExitStatus.ok;
  });
}

/** What waits, with the commands that answer it, or in a line where it is somebody else's to answer. */
export function pendingApprovalText(
  { event, principal, remaining, mayResolve }: PendingApproval,
  terminal: Terminal,
  command: CommandForm,
): Printable {
  if (event?.kind.case !== "approvalRequest") return print``;
  const leftMs = remaining === undefined ? undefined : durationMs(remaining);
  const turn = print`turn ${oneLine(event.turnId, NAME_CHARACTERS)} of ${oneLine(principal, NAME_CHARACTERS)}`;
  if (!mayResolve) {
    const { name } = event.kind.value;
    const left = leftMs === undefined ? print`` : print` (denied ${inTime(leftMs)})`;
    const waits = print`${oneLine(name, NAME_CHARACTERS)} waits for somebody else to answer${left}`;
    return print`${terminal.wrap(print`${turn}: ${waits}.`)}\n\n`;
  }
  const open = { event, request: event.kind.value, leftMs };
  return print`${turn}\n${openApprovalText(open, terminal, command)}\n`;
}
