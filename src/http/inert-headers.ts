/** Of every answer that is no page: a browser that shows one all the same runs nothing of it, and shows it in no other page. */
export const INERT_HEADERS = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;
