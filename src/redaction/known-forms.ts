import { rules } from "@secretlint/secretlint-rule-preset-recommend";
import type {
  SecretLintRuleContext,
  SecretLintRuleReportDescriptor,
  SecretLintRuleReportHandler,
  SecretLintSourceCode,
} from "@secretlint/types";
import { findAddedForms } from "./added-forms.ts";
import { mergedRanges, type TextRange } from "./ranges.ts";

/**
 * `gcp` reads files and takes a whole document for its key, which `privatekey` finds in it. `filter-comments` lets a text say
 * that it is not to be looked at.
 */
const LEFT_OUT = /-(gcp|filter-comments)$/;

/** A longer form is not known: a private key of 10,000 units, a token of GitHub's of 12,000. */
export const LONGEST_FORM = 16 * 1024;
/** A shorter property of a report says what kind of credential it is, and not which. */
const LEAST_NAMED = 16;
/** A text is looked through so much at a time, so that it is known how long that takes. */
const WINDOW = 64 * 1024;
/**
 * What all windows of a text may take, in milliseconds. The rules take 4 µs for a thousand units and at the very most a
 * hundred times that, of texts that are made for it (measured).
 */
const BUDGET_MS = 250;

/**
 * Finds credentials by their well-known forms: by the rules of secretlint's recommended preset, which others keep up to date,
 * and by the few that it lacks.
 * They are called as secretlint's core calls them, but at once: its own call is asynchronous, and none of these rules is.
 *
 * 1. What could not be looked through in time is all one range: nothing of it gets out.
 */
export class KnownForms {
  readonly #handlers: readonly SecretLintRuleReportHandler[];
  #reports: SecretLintRuleReportDescriptor[] = [];

  constructor() {
    const context: SecretLintRuleContext = {
      sharedOptions: {},
      // What is found stands in the message's properties, and its range may be off (the rule `aws`).
      createTranslator: () => (messageId, props) => ({
        message: "",
        messageId: String(messageId),
        data: props,
      }),
      report: (report) => void this.#reports.push(report),
      ignore: () => {},
    };
    this.#handlers = rules
      .filter(({ meta }) => !LEFT_OUT.test(meta.id))
      .map((rule) => rule.create(context, {} as Parameters<typeof rule.create>[1]));
  }

  /**
   * Where credentials stand in a text, in their order.
   *
   * @param budgetMs - After so long the rest of a text is given up. 0: after the first window.
   */
  find(text: string, budgetMs = BUDGET_MS): TextRange[] {
    if (text.length <= WINDOW) return mergedRanges(this.#findIn(text));
    const ranges: TextRange[] = [];
    const begun = performance.now();
    for (let at = 0; at < text.length; at += WINDOW - LONGEST_FORM) {
      if (at > 0 && performance.now() - begun >= budgetMs) {
        ranges.push({ start: at, end: text.length }); // 1.
        break;
      }
      for (const { start, end } of this.#findIn(text.slice(at, at + WINDOW))) {
        ranges.push({ start: at + start, end: at + end });
      }
    }
    return mergedRanges(ranges);
  }

  #findIn(content: string): TextRange[] {
    this.#reports = [];
    for (const handler of this.#handlers) void handler.file?.(sourceOf(content));
    const ranges = this.#reports.flatMap((report) => rangesOf(report, content));
    return [...ranges, ...findAddedForms(content)];
  }
}

/** What a report is about: the credentials that it names, from where it says on, or else where it says. */
function rangesOf(
  { range: [start, end], message }: SecretLintRuleReportDescriptor,
  content: string,
): TextRange[] {
  const named = Object.values(message.data ?? {}).filter((value) => typeof value === "string");
  const found = named.flatMap((secret) => {
    const at = secret.length < LEAST_NAMED ? -1 : content.indexOf(secret, start);
    return at === -1 ? [] : { start: at, end: at + secret.length };
  });
  return found.length > 0 ? found : [{ start, end }];
}

/** As a rule sees a text. It is taken for an `.npmrc`, whose tokens have no form of their own. */
function sourceOf(content: string): SecretLintSourceCode {
  const nowhere = () => {
    throw new Error("a rule of this preset asks for no places");
  };
  return {
    ...{ content, hasBOM: false, contentType: "text", ext: "" },
    ...{ filePath: ".npmrc", physicalFilePath: undefined },
    ...{ getFilePath: () => ".npmrc", getPhysicalFilePath: () => undefined },
    ...{ locationToRange: nowhere, rangeToLocation: nowhere },
    ...{ positionToIndex: nowhere, indexToPosition: nowhere },
  };
}
