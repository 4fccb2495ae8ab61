import { Help, type HelpConfiguration } from "commander";
import { defaultText, purposeText } from "../config/setting-text.ts";
import type { Section } from "../config/settings/sections.ts";

/** Has the help of a command end in the variables that it reads. */
export function settingsHelp(sections: readonly Section[]): HelpConfiguration {
  return {
    formatHelp(command, helper) {
      const own = Help.prototype.formatHelp.call(helper, command, helper);
      return [own, ...sections.flatMap((section) => sectionLines(section, helper))].join("\n");
    },
  };
}

function sectionLines({ title, settings }: Section, helper: Help): string[] {
  const items = settings.map((setting) => {
    const { variable, kind } = setting;
    const text = `${purposeText(setting)} Takes ${kind.takes}. Default: ${defaultText(setting)}.`;
    return `  ${variable}\n${helper.formatItem("", 2, text.replaceAll("`", ""), helper)}`;
  });
  return helper.formatItemList(`Variables, ${title.toLowerCase()}:`, items, helper);
}
