import { Later } from "../../ui/later.svelte.ts";

/** What makes prose of a text. Until it is here the text is shown as it was written. */
export const markdown = new Later(async () => {
  const [blocks, { safeHtml }] = await Promise.all([
    import("./blocks.ts"),
    import("./safe-html.ts"),
  ]);
  return { ...blocks, safeHtml };
});

/** That part, once it is here. */
export type Markdown = NonNullable<typeof markdown.now>;
