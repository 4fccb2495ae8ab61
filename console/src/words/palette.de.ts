import type { palette as paletteEn } from "./palette.en.ts";

export const palette: typeof paletteEn = {
  title: "Befehle und Suche",
  input: "Was zu tun ist, oder Wörter eines Auftrags",
  commands: "Hier zu tun",
  sessions: "Sitzungen",
  turns: "Aufträge",
  nothing: "Nichts passt.",
  searching: "Es wird gesucht …",
};
