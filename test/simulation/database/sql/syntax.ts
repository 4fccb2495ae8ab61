/** What can be asked for in a statement, of the part of SQL that the store uses. */
export type Expression =
  | { readonly is: "value"; readonly value: string | number | boolean | null }
  | { readonly is: "parameter"; readonly index: number }
  | { readonly is: "column"; readonly table: string | undefined; readonly name: string }
  | { readonly is: "not"; readonly of: Expression }
  | {
      readonly is: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly is: "isNull"; readonly of: Expression; readonly negated: boolean }
  | {
      readonly is: "in";
      readonly of: Expression;
      readonly among: readonly Expression[] | Select;
      readonly negated: boolean;
    }
  | {
      readonly is: "array";
      readonly of: Expression;
      readonly operator: string;
      readonly array: Expression;
      readonly all: boolean;
    }
  | { readonly is: "exists"; readonly select: Select }
  | { readonly is: "scalar"; readonly select: Select }
  | {
      readonly is: "case";
      readonly whens: readonly { readonly when: Expression; readonly value: Expression }[];
      readonly otherwise: Expression;
    }
  | { readonly is: "cast"; readonly of: Expression; readonly type: string }
  | {
      readonly is: "call";
      readonly name: string;
      readonly args: readonly Expression[];
      /** `sum(…) OVER (ORDER BY …)`. */
      readonly over?: Expression | undefined;
    };

export interface Item {
  /** Undefined: all columns, of `table` or of everything. */
  readonly expression: Expression | undefined;
  readonly table: string | undefined;
  readonly name: string;
}

export type Source =
  | { readonly is: "table"; readonly name: string; readonly as: string }
  | { readonly is: "select"; readonly select: Select; readonly as: string }
  | { readonly is: "unnest"; readonly args: readonly Expression[]; readonly as: string };

export interface Joined {
  readonly source: Source;
  readonly using: string | undefined;
  readonly on: Expression | undefined;
  readonly isLeft: boolean;
}

export interface Order {
  readonly by: Expression;
  readonly isDescending: boolean;
}

export interface CommonTable {
  readonly name: string;
  readonly statement: Statement;
}

export interface Select {
  readonly is: "select";
  readonly with: readonly CommonTable[];
  readonly isDistinct: boolean;
  readonly items: readonly Item[];
  readonly from: readonly Joined[];
  readonly where: Expression | undefined;
  readonly order: readonly Order[];
  readonly limit: Expression | undefined;
  readonly lock: "share" | "update" | undefined;
  readonly union: Select | undefined;
}

export type Assignment = readonly [column: string, value: Expression];

export interface Insert {
  readonly is: "insert";
  readonly with: readonly CommonTable[];
  readonly table: string;
  /** Undefined: all. */
  readonly columns: readonly string[] | undefined;
  readonly source: readonly (readonly Expression[])[] | Select;
  readonly conflict: "error" | "nothing" | readonly Assignment[];
  readonly returning: readonly Item[] | undefined;
}

export interface Update {
  readonly is: "update";
  readonly with: readonly CommonTable[];
  readonly table: string;
  readonly assignments: readonly Assignment[];
  readonly where: Expression | undefined;
  readonly returning: readonly Item[] | undefined;
}

export interface Delete {
  readonly is: "delete";
  readonly with: readonly CommonTable[];
  readonly table: string;
  readonly where: Expression | undefined;
  readonly returning: readonly Item[] | undefined;
}

export interface Control {
  readonly is: "begin" | "commit" | "rollback" | "savepoint" | "release" | "rollbackTo";
  readonly name: string;
}

export type Statement = Select | Insert | Update | Delete | Control;
