import type { Setting } from "../src/config/setting.ts";
import { defaultText, purposeText } from "../src/config/setting-text.ts";
import { COMMAND_SECTION, SERVE_SECTIONS, type Section } from "../src/config/settings/sections.ts";

/** `docs/settings.md`, whole. */
export function settingsPage(): string {
  const parts = [
    HEAD,
    "## Read by `serve`",
    ...SERVE_SECTIONS.map((section) => `### ${section.title}\n\n${table(section)}`),
    "## Read by the commands that talk to a server",
    table(COMMAND_SECTION),
    FOOT,
  ];
  return `${parts.join("\n\n")}\n`;
}

function table({ settings }: Section): string {
  const rows = settings.map(rowOf);
  return [
    "| variable | default | takes | what it does |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

function rowOf(setting: Setting): string {
  const { variable, kind } = setting;
  const cells = [`\`${variable}\``, defaultText(setting), kind.takes, purposeText(setting)];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const HEAD = `# Settings

<!-- Made from src/config/settings/ by \`npm run generate\`: edit the rows there. -->

Settings are environment variables. An empty one counts as unset.

A variable that cannot be used stops the start, and so does one whose name begins with \`BREAKGLASS_\`, in whatever case, and that
is no setting: a mistake in a name would leave the setting at its default without a word. Every problem is told in a line of its
own, and the exit status is 2. The commands that talk to a server refuse unknown variables too.

\`breakglass serve --help\` lists the same.`;

const FOOT = `## What else is read, and what is let pass

- \`HOME\`, \`XDG_STATE_HOME\`: where the data directory is by default. \`HOME\` or \`CLAUDE_CONFIG_DIR\`: where the CLI keeps its
  conversations. \`PATH\`: where \`claude\` is looked for.
- \`NO_COLOR\`: where it is not empty, the commands print no color.
- \`BREAKGLASS_PROCESS_ID\`: the server marks the agent's processes with it. A command that an agent runs sees it.
- Kubernetes tells each pod of the Services of its namespace. What it sets for one named \`breakglass\` or \`breakglass-…\`
  (\`BREAKGLASS_SERVICE_HOST\`, \`BREAKGLASS_SERVICE_PORT\`, \`BREAKGLASS_SERVICE_PORT_GRPC\`, \`BREAKGLASS_PORT\`,
  \`BREAKGLASS_PORT_7433_TCP\`, \`…_TCP_ADDR\`, \`…_TCP_PORT\`, \`…_TCP_PROTO\`) is let pass, as long as each says what Kubernetes
  would: \`BREAKGLASS_PORT=8080\` is refused. \`enableServiceLinks: false\` in the pod leaves them out.`;
