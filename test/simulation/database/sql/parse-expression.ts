import type { Expression, Select } from "./syntax.ts";
import type { TokenReader } from "./tokens.ts";

/** From the loosest to the tightest, of those that take a left and a right side. */
const LEVELS = [
  ["|", "||"],
  ["+", "-"],
  ["*", "/", "%"],
] as const;
const COMPARISONS = ["=", "<>", "<=", ">=", "<", ">"];

/** Reads expressions as PostgreSQL's precedence has them. @param select - Reads a query in parentheses. */
export class ExpressionParser {
  readonly #tokens: TokenReader;
  readonly #select: () => Select;

  constructor(tokens: TokenReader, select: () => Select) {
    this.#tokens = tokens;
    this.#select = select;
  }

  parse(): Expression {
    return this.#chain("or", () => this.#chain("and", () => this.#not()));
  }

  #chain(operator: string, part: () => Expression): Expression {
    let left = part();
    while (this.#tokens.accept(operator)) {
      left = { is: "binary", operator, left, right: part() };
    }
    return left;
  }

  #not(): Expression {
    if (this.#tokens.accept("not")) return { is: "not", of: this.#not() };
    return this.#comparison();
  }

  #comparison(): Expression {
    const tokens = this.#tokens;
    const left = this.#level(0);
    if (tokens.accept("is", "not", "null")) return { is: "isNull", of: left, negated: true };
    if (tokens.accept("is", "null")) return { is: "isNull", of: left, negated: false };
    if (tokens.accept("not", "in")) return this.#in(left, true);
    if (tokens.accept("in")) return this.#in(left, false);
    const operator = COMPARISONS.find((mark) => tokens.accept(mark));
    if (operator === undefined) return left;
    const all = tokens.sees("all", "(");
    if (all || tokens.sees("any", "(")) {
      tokens.take();
      return { is: "array", of: left, operator, array: this.#parenthesized(), all };
    }
    return { is: "binary", operator, left, right: this.#level(0) };
  }

  #in(of: Expression, negated: boolean): Expression {
    this.#tokens.expect("(");
    const among = this.#seesSelect() ? this.#select() : this.#tokens.list(() => this.parse());
    this.#tokens.expect(")");
    return { is: "in", of, among, negated };
  }

  #level(index: number): Expression {
    const operators: readonly string[] | undefined = LEVELS[index];
    if (operators === undefined) return this.#cast();
    let left = this.#level(index + 1);
    for (;;) {
      const operator = operators.find((mark) => this.#tokens.accept(mark));
      if (operator === undefined) return left;
      left = { is: "binary", operator, left, right: this.#level(index + 1) };
    }
  }

  #cast(): Expression {
    let of = this.#primary();
    while (this.#tokens.accept("::")) of = { is: "cast", of, type: this.#type() };
    return of;
  }

  #type(): string {
    let type = this.#tokens.word();
    if (type === "double") type += ` ${this.#tokens.word()}`;
    if (this.#tokens.accept("[", "]")) type += "[]";
    return type;
  }

  #primary(): Expression {
    const tokens = this.#tokens;
    if (tokens.sees("(")) {
      tokens.take();
      const inner: Expression = this.#seesSelect()
        ? { is: "scalar", select: this.#select() }
        : this.parse();
      tokens.expect(")");
      return inner;
    }
    if (tokens.accept("-")) {
      const zero: Expression = { is: "value", value: 0 };
      return { is: "binary", operator: "-", left: zero, right: this.#cast() };
    }
    if (tokens.accept("case")) return this.#case();
    if (tokens.sees("exists", "(")) {
      tokens.expect("exists", "(");
      const select = this.#select();
      tokens.expect(")");
      return { is: "exists", select };
    }
    const { kind, text } = tokens.take();
    if (kind === "number") return { is: "value", value: Number(text) };
    if (kind === "text") return { is: "value", value: text };
    if (kind === "parameter") return { is: "parameter", index: Number(text) - 1 };
    if (kind !== "word") throw new Error(`the model expects an expression before ${text}`);
    if (text === "null") return { is: "value", value: null };
    if (text === "true" || text === "false") return { is: "value", value: text === "true" };
    if (tokens.sees("(")) return this.#call(text);
    if (tokens.accept(".", "*")) return { is: "column", table: text, name: "*" };
    if (tokens.accept(".")) return { is: "column", table: text, name: tokens.word() };
    return { is: "column", table: undefined, name: text };
  }

  #call(name: string): Expression {
    const tokens = this.#tokens;
    tokens.expect("(");
    if (name === "extract") tokens.expect("epoch", "from");
    const isEmpty = tokens.accept("*") || tokens.sees(")");
    const args = isEmpty ? [] : tokens.list(() => this.parse());
    tokens.expect(")");
    if (!tokens.accept("over", "(", "order", "by")) return { is: "call", name, args };
    const over = this.parse();
    tokens.expect(")");
    return { is: "call", name, args, over };
  }

  #case(): Expression {
    const tokens = this.#tokens;
    const whens: { when: Expression; value: Expression }[] = [];
    while (tokens.accept("when")) {
      const when = this.parse();
      tokens.expect("then");
      whens.push({ when, value: this.parse() });
    }
    const otherwise: Expression = tokens.accept("else")
      ? this.parse()
      : { is: "value", value: null };
    tokens.expect("end");
    return { is: "case", whens, otherwise };
  }

  #parenthesized(): Expression {
    this.#tokens.expect("(");
    const inner = this.parse();
    this.#tokens.expect(")");
    return inner;
  }

  #seesSelect(): boolean {
    return this.#tokens.sees("select") || this.#tokens.sees("with");
  }
}
