/** jsep's parser class, which its own types leave out: what formula-parser.ts overrides and calls of it. */
import jsep, { type Expression } from "jsep";

export interface JsepParser {
  readonly expr: string;
  index: number;
  /** The character at `index`; NaN at the end. */
  readonly code: number;
  parse(): Expression;
  gobbleSpaces(): void;
  gobbleExpression(): Expression;
  gobbleToken(): Expression | false;
  gobbleGroup(): Expression;
  gobbleArguments(terminationCode: number): Expression[];
  throwError(message: string): never;
}

/** What all parsers of the process share. */
export interface JsepConfiguration {
  unary_ops: Readonly<Record<string, number>>;
  binary_ops: Readonly<Record<string, number>>;
  right_associative: ReadonlySet<string>;
  additional_identifier_chars: ReadonlySet<string>;
  literals: Readonly<Record<string, unknown>>;
  this_str: string;
  hooks: object;
  max_unop_len: number;
  max_binop_len: number;
}

interface JsepClass extends JsepConfiguration {
  new (text: string): JsepParser;
}

export const { Jsep } = jsep as unknown as { readonly Jsep: JsepClass };
