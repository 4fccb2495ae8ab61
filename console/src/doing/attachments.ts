import type { AgentInfo, ServerLimits } from "@breakglass/client";
import { bytesOf } from "./text-size.ts";

/** A file that is to go with a prompt. */
export interface Attached {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  /** Undefined: it is not at hand, as after a reload, or was too large to be read. */
  readonly data: Uint8Array<ArrayBuffer> | undefined;
}

/** Why a file cannot be sent. */
export type AttachmentProblem =
  | { readonly what: "name-long" | "name-bad" | "gone" | "unread" }
  | { readonly what: "image-large"; readonly most: number }
  /** With those before it, it is more than may be sent together. */
  | { readonly what: "too-large"; readonly most: number }
  | { readonly what: "too-many"; readonly most: number };

const NAME_BYTES = 255;
const HAS_NO_NAME = /^\.{0,2}$|[/\\]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const MEDIA_TYPE = /^[a-z\d][a-z\d!#$&^_.+-]{0,126}\/[a-z\d][a-z\d!#$&^_.+-]{0,126}$/;
const OF_ANY_KIND = "application/octet-stream";

type Limits = Pick<ServerLimits, "maxAttachmentBytes" | "maxAttachments">;
type Images = Pick<AgentInfo, "imageMediaTypes" | "maxImageBytes">;

/** A file as the browser has it. `taken` are the names that others have: it gets another than those. */
export async function attachedOf(
  file: File,
  taken: readonly string[],
  agent: Images,
  { maxAttachmentBytes }: Limits,
): Promise<Attached> {
  const [type = ""] = file.type.toLowerCase().split(";", 1);
  // The agent is shown no image of another kind: it gets it as a file.
  const isHidden = type.startsWith("image/") && !agent.imageMediaTypes.includes(type);
  const mediaType = MEDIA_TYPE.test(type) && !isHidden ? type : OF_ANY_KIND;
  const id = `${Date.now()}-${Math.random()}`;
  const about = { id, name: uniqueName(file.name, taken), mediaType, size: file.size };
  if (file.size > Number(maxAttachmentBytes)) return { ...about, data: undefined };
  const data = await file.arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => undefined, // A folder, or a file that is gone.
  );
  return { ...about, data };
}

/** What keeps each of the files from being sent, by its id. */
export function attachmentProblems(
  all: readonly Attached[],
  agent: Images,
  { maxAttachmentBytes, maxAttachments }: Limits,
): ReadonlyMap<string, AttachmentProblem> {
  const problems = new Map<string, AttachmentProblem>();
  const most = Number(maxAttachmentBytes);
  let together = 0;
  for (const [index, attached] of all.entries()) {
    const own = ownProblem(attached, agent);
    together += attached.size;
    if (index >= maxAttachments) {
      problems.set(attached.id, { what: "too-many", most: maxAttachments });
    } else if (together > most) {
      problems.set(attached.id, { what: "too-large", most });
      together -= attached.size;
    } else if (own !== undefined) problems.set(attached.id, own);
  }
  return problems;
}

function ownProblem(
  { name, mediaType, size, data }: Attached,
  { maxImageBytes }: Images,
): AttachmentProblem | undefined {
  if (bytesOf(name) > NAME_BYTES) return { what: "name-long" };
  if (HAS_NO_NAME.test(name) || !name.isWellFormed()) return { what: "name-bad" };
  if (mediaType.startsWith("image/") && size > Number(maxImageBytes)) {
    return { what: "image-large", most: Number(maxImageBytes) };
  }
  return data === undefined ? { what: "gone" } : undefined;
}

/** The same file as one that is not shown to the model. */
export function asPlainFile(attached: Attached): Attached {
  return { ...attached, mediaType: OF_ANY_KIND };
}

function uniqueName(name: string, taken: readonly string[]): string {
  const isTaken = (each: string) => taken.some((other) => folded(other) === folded(each));
  if (!isTaken(name)) return name;
  const [, stem = name, ending = ""] = /^(.+?)(\.[^.]*)?$/u.exec(name) ?? [];
  for (let n = 2; ; n++) if (!isTaken(`${stem}-${n}${ending}`)) return `${stem}-${n}${ending}`;
}

/** As the server takes names for the same. */
function folded(name: string): string {
  return name.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");
}
