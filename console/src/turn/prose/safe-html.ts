import DOMPurify from "dompurify";

const TAGS =
  "a p br hr h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del small cite table thead tbody tr th td";

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  // Whatever it was made from.
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
});

/** What of a text's HTML may stand in the page: words, lists, tables, code, and links out of it. Nothing of it loads or runs. */
export function safeHtml(html: string): ReturnType<typeof sanitize> {
  return sanitize(html);
}

function sanitize(html: string) {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS.split(" "),
    ALLOWED_ATTR: ["href", "target", "rel", "start"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    RETURN_TRUSTED_TYPE: true,
  });
}
