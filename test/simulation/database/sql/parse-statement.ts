import { ExpressionParser } from "./parse-expression.ts";
import type {
  Assignment,
  CommonTable,
  Control,
  Expression,
  Insert,
  Item,
  Joined,
  Order,
  Select,
  Source,
  Statement,
} from "./syntax.ts";
import { TokenReader, tokensOf } from "./tokens.ts";

/** Words that end a source without a name of its own. */
const NOT_A_NAME = new Set(
  "where order limit for union join left on using set returning values select as group on".split(
    " ",
  ),
);

/** The statements of a text, with semicolons between. @throws Error of what the model does not know. */
export function parseStatements(sql: string): Statement[] {
  const tokens = new TokenReader(tokensOf(sql));
  const parser = new StatementParser(tokens);
  const statements: Statement[] = [];
  while (!tokens.isAtEnd) {
    statements.push(parser.statement());
    if (!tokens.accept(";") && !tokens.isAtEnd) {
      throw new Error(`the model does not know ${tokens.next.text} in: ${sql}`);
    }
  }
  return statements;
}

class StatementParser {
  readonly #tokens: TokenReader;
  readonly #expressions: ExpressionParser;

  constructor(tokens: TokenReader) {
    this.#tokens = tokens;
    this.#expressions = new ExpressionParser(tokens, () => this.#select(this.#with()));
  }

  statement(): Statement {
    const tables = this.#with();
    const tokens = this.#tokens;
    if (tokens.sees("select")) return this.#select(tables);
    if (tokens.accept("insert", "into")) return this.#insert(tables);
    if (tokens.accept("update")) return this.#update(tables);
    if (tokens.accept("delete", "from")) {
      const table = tokens.word();
      const where = this.#where();
      return { is: "delete", with: tables, table, where, returning: this.#returning() };
    }
    return this.#control();
  }

  #control(): Control {
    const tokens = this.#tokens;
    if (tokens.accept("begin")) return { is: "begin", name: "" };
    if (tokens.accept("commit")) return { is: "commit", name: "" };
    if (tokens.accept("savepoint")) return { is: "savepoint", name: tokens.word() };
    if (tokens.accept("release", "savepoint")) return { is: "release", name: tokens.word() };
    if (tokens.accept("rollback", "to", "savepoint")) {
      return { is: "rollbackTo", name: tokens.word() };
    }
    if (tokens.accept("rollback")) return { is: "rollback", name: "" };
    throw new Error(`the model does not know the statement ${tokens.next.text}`);
  }

  #with(): CommonTable[] {
    const tokens = this.#tokens;
    if (!tokens.accept("with")) return [];
    return tokens.list(() => {
      const name = tokens.word();
      tokens.expect("as");
      tokens.accept("materialized");
      tokens.expect("(");
      const statement = this.statement();
      tokens.expect(")");
      return { name, statement };
    });
  }

  #select(tables: CommonTable[]): Select {
    const tokens = this.#tokens;
    tokens.expect("select");
    const isDistinct = tokens.accept("distinct");
    const items = tokens.list(() => this.#item());
    const from = tokens.accept("from") ? this.#from() : [];
    const where = this.#where();
    let union: Select | undefined;
    if (tokens.accept("union")) {
      tokens.accept("all");
      union = this.#select([]);
    }
    const order = tokens.accept("order", "by") ? tokens.list(() => this.#order()) : [];
    const limit = tokens.accept("limit") ? this.#expressions.parse() : undefined;
    const lock = this.#lock();
    return {
      is: "select",
      with: tables,
      isDistinct,
      items,
      from,
      where,
      order,
      limit,
      lock,
      union,
    };
  }

  #order(): Order {
    const by = this.#expressions.parse();
    const isDescending = this.#tokens.accept("desc");
    this.#tokens.accept("asc");
    return { by, isDescending };
  }

  #lock(): Select["lock"] {
    const tokens = this.#tokens;
    let lock: Select["lock"];
    if (tokens.accept("for", "share")) lock = "share";
    else if (tokens.accept("for", "update")) lock = "update";
    else if (tokens.accept("for", "no", "key", "update")) lock = "update";
    if (lock !== undefined && tokens.accept("of")) tokens.word();
    return lock;
  }

  #item(): Item {
    const tokens = this.#tokens;
    if (tokens.accept("*")) return { expression: undefined, table: undefined, name: "*" };
    const expression = this.#expressions.parse();
    if (expression.is === "column" && expression.name === "*") {
      return { expression: undefined, table: expression.table, name: "*" };
    }
    if (tokens.accept("as")) return { expression, table: undefined, name: tokens.word() };
    return { expression, table: undefined, name: nameOf(expression) };
  }

  #from(): Joined[] {
    const tokens = this.#tokens;
    const joined: Joined[] = [this.#plain(this.#source())];
    for (;;) {
      const isLeft = tokens.accept("left", "join");
      if (isLeft || tokens.accept("join")) {
        const source = this.#source();
        if (tokens.accept("using", "(")) {
          joined.push({ source, using: tokens.word(), on: undefined, isLeft });
          tokens.expect(")");
        } else {
          tokens.expect("on");
          joined.push({ source, using: undefined, on: this.#expressions.parse(), isLeft });
        }
      } else if (tokens.accept(",")) joined.push(this.#plain(this.#source()));
      else return joined;
    }
  }

  #plain(source: Source): Joined {
    return { source, using: undefined, on: undefined, isLeft: false };
  }

  #source(): Source {
    const tokens = this.#tokens;
    if (tokens.accept("(")) {
      const select = this.#select(this.#with());
      tokens.expect(")");
      return { is: "select", select, as: this.#alias("") };
    }
    const name = tokens.word();
    if (name === "unnest") {
      tokens.expect("(");
      const args = tokens.list(() => this.#expressions.parse());
      tokens.expect(")");
      return { is: "unnest", args, as: this.#alias("unnest") };
    }
    return { is: "table", name, as: this.#alias(name) };
  }

  #alias(name: string): string {
    if (this.#tokens.accept("as")) return this.#tokens.word();
    const { kind, text } = this.#tokens.next;
    return kind === "word" && !NOT_A_NAME.has(text) ? this.#tokens.word() : name;
  }

  #where(): Expression | undefined {
    return this.#tokens.accept("where") ? this.#expressions.parse() : undefined;
  }

  #returning(): Item[] | undefined {
    return this.#tokens.accept("returning") ? this.#tokens.list(() => this.#item()) : undefined;
  }

  #insert(tables: CommonTable[]): Insert {
    const tokens = this.#tokens;
    const table = tokens.word();
    let columns: string[] | undefined;
    if (tokens.accept("(")) {
      columns = tokens.list(() => tokens.word());
      tokens.expect(")");
    }
    const source = tokens.accept("values")
      ? tokens.list(() => this.#tuple())
      : this.#select(this.#with());
    const conflict = this.#conflict();
    const returning = this.#returning();
    return { is: "insert", with: tables, table, columns, source, conflict, returning };
  }

  #tuple(): Expression[] {
    this.#tokens.expect("(");
    const values = this.#tokens.list(() => this.#expressions.parse());
    this.#tokens.expect(")");
    return values;
  }

  #conflict(): Insert["conflict"] {
    const tokens = this.#tokens;
    if (!tokens.accept("on", "conflict")) return "error";
    if (tokens.accept("(")) {
      tokens.list(() => tokens.word());
      tokens.expect(")");
    }
    tokens.expect("do");
    if (tokens.accept("nothing")) return "nothing";
    tokens.expect("update", "set");
    return tokens.list(() => this.#assignment());
  }

  #update(tables: CommonTable[]): Statement {
    const tokens = this.#tokens;
    const table = tokens.word();
    tokens.expect("set");
    const assignments = tokens.list(() => this.#assignment());
    const where = this.#where();
    return { is: "update", with: tables, table, assignments, where, returning: this.#returning() };
  }

  #assignment(): Assignment {
    const column = this.#tokens.word();
    this.#tokens.expect("=");
    return [column, this.#expressions.parse()];
  }
}

function nameOf(expression: Expression): string {
  if (expression.is === "column") return expression.name;
  if (expression.is === "call") return expression.name;
  if (expression.is === "cast") return nameOf(expression.of);
  return "?column?";
}
