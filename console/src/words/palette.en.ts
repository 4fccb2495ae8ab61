export const palette = {
  title: "Commands and search",
  input: "What to do, or words of a prompt",
  commands: "To do here",
  sessions: "Sessions",
  turns: "Turns",
  nothing: "Nothing fits.",
  searching: "Searching …",
};
