const EVENTS = 20_000;
const MIB = 1024 * 1024;
const PIECES = 4000;
/** The pieces come a hundred a second. */
const PIECE_MS = 10;

/** The last words of what is written live. */
export const LAST_WORDS = "That was the last word.";

/** A turn of twenty thousand events with an output of 2 MB and a line of 5 MB. */
const LONG = [
  { tool: { name: "Bash", input: { command: "cat big.log" }, output: lines(2e6) } },
  { tool: { name: "Bash", input: { command: "cat one-line" }, output: { size: "5MB" } } },
  {
    repeat: {
      times: Math.ceil(EVENTS / 4),
      steps: [
        {
          text: "Round **{{n}}**: I look at `gateway.conf`, and at [what](https://example.test) it says.",
        },
        {
          tool: {
            name: "Bash",
            input: { command: "grep -n port gateway.conf # {{n}}" },
            output: "12: port = 80800\n13: host = 0.0.0.0",
          },
        },
        { thinking: "The port is too high, so it cannot listen." },
      ],
    },
  },
];
const pieces = Array.from({ length: PIECES }, (_, n) => [
  n % 40 === 39 ? "written.\n\n" : `word${n} `,
  { delay: `${PIECE_MS}ms` },
]).flat();

/** A prompt `write` makes a long turn that, once its approval is given, writes for 40 s; any other one makes a long turn that ends. */
export const SCRIPT = {
  turns: [
    {
      when: "write",
      steps: [
        ...LONG,
        { approval: { tool: "Bash", input: { command: "systemctl restart gateway" } } },
        { pieces: [...pieces, LAST_WORDS] },
        { delay: "10m" },
      ],
    },
    { steps: LONG },
  ],
};

/** Lines of a log, so many bytes of them. */
function lines(bytes: number): string {
  const line = "\u001b[32mINFO\u001b[0m gateway: a connection from 10.0.0.1 was taken\n";
  return line.repeat(Math.ceil(bytes / line.length)).slice(0, Math.min(bytes, 3 * MIB - 1024));
}
