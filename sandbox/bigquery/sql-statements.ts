/** Tokens of one statement -> what it asks for, with the stretches of the script that hold its expressions. */
import { faultAt, type ScriptToken, type Stretch } from './scan-sql.ts';

/** A table as written: one to three parts. */
export interface WrittenTable extends Stretch {
  readonly parts: readonly string[];
  /** The table with its alias. */
  readonly withAlias: Stretch;
  /** The name by which expressions call it. */
  readonly alias: string;
}

export type Statement =
  | { readonly kind: 'query'; readonly query: Stretch }
  | Control
  | { readonly kind: 'delete'; readonly table: WrittenTable; readonly where: Stretch }
  | {
      readonly kind: 'insert';
      readonly table: WrittenTable;
      readonly columns: readonly string[] | null;
      readonly source: InsertSource;
    }
  | { readonly kind: 'truncate'; readonly table: WrittenTable }
  | { readonly kind: 'drop'; readonly table: WrittenTable; readonly ifExists: boolean }
  | ({ readonly kind: 'create' } & CreateTable)
  | ({ readonly kind: 'merge' } & Merge);

export interface Control {
  readonly kind: 'begin' | 'commit' | 'rollback';
  readonly at: number;
}

export type InsertSource =
  | { readonly kind: 'query'; readonly query: Stretch }
  /** The inside of each pair of parentheses, item by item. */
  | { readonly kind: 'values'; readonly rows: readonly (readonly Stretch[])[] };

export interface CreateTable {
  readonly table: WrittenTable;
  readonly mode: 'create' | 'replace' | 'if_not_exists';
  readonly columns: readonly { readonly name: string; readonly type: string; readonly notNull: boolean }[] | null;
  readonly partitionBy: { readonly unit: string | null; readonly column: string; readonly at: number } | null;
  readonly clusterBy: readonly string[];
  readonly options: readonly { readonly name: string; readonly value: readonly ScriptToken[]; readonly at: number }[];
  readonly query: Stretch | null;
}

export interface Merge {
  readonly table: WrittenTable;
  /** The source with its alias, as it stands after USING. */
  readonly source: Stretch;
  readonly on: Stretch;
  readonly clauses: readonly MergeClause[];
}

export interface MergeClause {
  readonly matched: 'matched' | 'not_matched' | 'not_matched_by_source';
  readonly condition: Stretch | null;
  readonly action:
    | { readonly kind: 'delete' }
    | { readonly kind: 'update'; readonly set: readonly { readonly column: string; readonly value: Stretch }[] }
    /** `columns` null: all, in order; `values` null: ROW. */
    | {
        readonly kind: 'insert';
        readonly columns: readonly string[] | null;
        readonly values: readonly Stretch[] | null;
      };
}

/** @throws BigQueryError `invalidQuery` with the place */
export function parseStatement(script: string, tokens: readonly ScriptToken[]): Statement {
  return new StatementReader(script, tokens).statement();
}

class StatementReader {
  readonly #script: string;
  readonly #tokens: readonly ScriptToken[];
  #next = 0;

  constructor(script: string, tokens: readonly ScriptToken[]) {
    this.#script = script;
    this.#tokens = tokens;
  }

  statement(): Statement {
    const first = this.#peek();
    const at = first?.at ?? 0;
    switch (first?.kind === 'word' ? first.value : '') {
      case 'BEGIN':
      case 'COMMIT':
      case 'ROLLBACK':
        return this.#transaction(at);
      case 'DELETE':
        return this.#delete();
      case 'INSERT':
        return this.#insert();
      case 'TRUNCATE':
        this.#take();
        this.#expect('TABLE');
        return { kind: 'truncate', table: this.#onlyTable() };
      case 'DROP': {
        this.#take();
        this.#expect('TABLE');
        const ifExists = this.#accept('IF', 'EXISTS');
        return { kind: 'drop', ifExists, table: this.#onlyTable() };
      }
      case 'CREATE':
        return { kind: 'create', ...this.#create() };
      case 'MERGE':
        return { kind: 'merge', ...this.#merge() };
      case 'SELECT':
      case 'WITH':
      case '':
        return { kind: 'query', query: { at, end: this.#end() } };
      default:
        throw faultAt(this.#script, at, `The sandbox does not run ${first?.value} statements`);
    }
  }

  #transaction(at: number): Statement {
    const word = this.#take()?.value;
    this.#accept('TRANSACTION');
    if (this.#peek()) throw this.#unexpected('TRANSACTION and a semicolon');
    return { kind: word === 'BEGIN' ? 'begin' : word === 'COMMIT' ? 'commit' : 'rollback', at };
  }

  #delete(): Statement {
    const { at = 0 } = this.#take() ?? {};
    this.#accept('FROM');
    const table = this.#table(['WHERE']);
    if (!this.#accept('WHERE')) throw faultAt(this.#script, at, 'DELETE must have a WHERE clause');
    return { kind: 'delete', table, where: this.#rest('a condition') };
  }

  #insert(): Statement {
    this.#take();
    this.#accept('INTO');
    const table = this.#table(null);
    const columns = this.#isSymbol('(') && !this.#isQueryInParentheses() ? this.#names() : null;
    if (!this.#accept('VALUES'))
      return { kind: 'insert', table, columns, source: { kind: 'query', query: this.#rest('a query') } };
    const rows: (readonly Stretch[])[] = [];
    do rows.push(this.#list());
    while (this.#acceptSymbol(','));
    if (this.#peek()) throw this.#unexpected('a comma or the end of the statement');
    return { kind: 'insert', table, columns, source: { kind: 'values', rows } };
  }

  #create(): CreateTable {
    this.#take();
    const replaces = this.#accept('OR', 'REPLACE');
    this.#expect('TABLE');
    const mode = this.#accept('IF', 'NOT', 'EXISTS') ? 'if_not_exists' : replaces ? 'replace' : 'create';
    const table = this.#table(null);
    const columns = this.#isSymbol('(') ? this.#columnDefinitions() : null;
    const partitionBy = this.#accept('PARTITION', 'BY') ? this.#partitionBy() : null;
    const clusterBy: string[] = [];
    if (this.#accept('CLUSTER', 'BY')) {
      do clusterBy.push(this.#name());
      while (this.#acceptSymbol(','));
    }
    const options = this.#accept('OPTIONS') ? this.#options() : [];
    const query = this.#accept('AS') ? this.#rest('a query') : null;
    if (this.#peek() && query === null) throw this.#unexpected('AS and a query');
    if (query === null && columns === null) throw this.#unexpected('columns, or AS and a query');
    return { table, mode, columns, partitionBy, clusterBy, options, query };
  }

  #columnDefinitions(): NonNullable<CreateTable['columns']> {
    return this.#list().map((stretch) => {
      const tokens = this.#tokensIn(stretch);
      const [name, ...type] = tokens;
      const words = type.map((token) => token.value).join(' ');
      const notNull = words.endsWith('NOT NULL');
      if (!name || type.length === 0) throw faultAt(this.#script, stretch.at, 'Expected a column name and a type');
      return {
        name: nameOf(name),
        type: (notNull ? words.slice(0, -'NOT NULL'.length) : words).replaceAll(' ', ''),
        notNull,
      };
    });
  }

  /** `column`, or `DATE_TRUNC(column, MONTH)`, `TIMESTAMP_TRUNC(column, HOUR)`, `DATE(column)`. */
  #partitionBy(): CreateTable['partitionBy'] {
    const first = this.#peek();
    if (!first) throw this.#unexpected('a column');
    const isCall = this.#tokens[this.#next + 1]?.value === '(';
    if (!isCall) return { unit: null, column: this.#name(), at: first.at };
    this.#take();
    const [column, unit] = this.#list().map((stretch) => this.#tokensIn(stretch));
    const isKnown = ['DATE_TRUNC', 'TIMESTAMP_TRUNC', 'DATETIME_TRUNC', 'DATE'].includes(first.value);
    if (!isKnown || column?.length !== 1 || !column[0])
      throw faultAt(
        this.#script,
        first.at,
        'PARTITION BY takes a column, or DATE_TRUNC, TIMESTAMP_TRUNC or DATE of one',
      );
    return { unit: unit?.[0]?.value ?? 'DAY', column: nameOf(column[0]), at: first.at };
  }

  #options(): CreateTable['options'] {
    return this.#list().map((stretch) => {
      const [name, equals, ...value] = this.#tokensIn(stretch);
      if (!name || equals?.value !== '=') throw faultAt(this.#script, stretch.at, 'Expected name = value');
      return { name: nameOf(name).toLowerCase(), value, at: name.at };
    });
  }

  #merge(): Merge {
    this.#take();
    this.#accept('INTO');
    const table = this.#table(['USING']);
    this.#expect('USING');
    const source = this.#until([['ON']], 'ON');
    this.#expect('ON');
    const on = this.#until([['WHEN']], 'WHEN');
    const clauses: MergeClause[] = [];
    while (this.#accept('WHEN')) clauses.push(this.#mergeClause());
    if (this.#peek()) throw this.#unexpected('WHEN');
    return { table, source, on, clauses };
  }

  #mergeClause(): MergeClause {
    const isNot = this.#accept('NOT');
    this.#expect('MATCHED');
    const bySource = isNot && this.#accept('BY', 'SOURCE');
    if (isNot && !bySource) this.#accept('BY', 'TARGET');
    const matched = bySource ? 'not_matched_by_source' : isNot ? 'not_matched' : 'matched';
    const condition = this.#accept('AND') ? this.#until([['THEN']], 'THEN') : null;
    this.#expect('THEN');
    return { matched, condition, action: this.#mergeAction() };
  }

  #mergeAction(): MergeClause['action'] {
    if (this.#accept('DELETE')) return { kind: 'delete' };
    if (this.#accept('UPDATE', 'SET')) {
      const set: { column: string; value: Stretch }[] = [];
      do {
        const column = this.#lastOfPath();
        this.#expectSymbol('=');
        set.push({ column, value: this.#until([[','], ['WHEN']], null) });
      } while (this.#acceptSymbol(','));
      return { kind: 'update', set };
    }
    this.#expect('INSERT');
    if (this.#accept('ROW')) return { kind: 'insert', columns: null, values: null };
    const columns = this.#isSymbol('(') ? this.#names() : null;
    if (this.#accept('ROW')) return { kind: 'insert', columns, values: null };
    this.#expect('VALUES');
    return { kind: 'insert', columns, values: this.#list() };
  }

  // ------------------------------------------------------------------ parts

  /** A table and its alias; `before`: words that may follow, null where no alias may stand. */
  #table(before: readonly string[] | null): WrittenTable {
    const first = this.#peek();
    if (!first) throw this.#unexpected('a table');
    const parts = [...this.#namePart()];
    while (this.#acceptSymbol('.') || this.#acceptSymbol('-')) {
      const joiner = this.#tokens[this.#next - 1]?.value;
      const [head = '', ...tail] = this.#namePart();
      if (joiner === '-') parts.push(`${parts.pop()}-${head}`, ...tail);
      else parts.push(head, ...tail);
    }
    const end = this.#tokens[this.#next - 1]?.end ?? first.end;
    let alias = parts.at(-1) ?? '';
    if (before !== null) {
      const hasAs = this.#accept('AS');
      const next = this.#peek();
      if (hasAs || (next && (next.kind === 'quoted' || (next.kind === 'word' && !before.includes(next.value)))))
        alias = this.#name();
    }
    const withAlias = { at: first.at, end: this.#tokens[this.#next - 1]?.end ?? end };
    return { at: first.at, end, parts, withAlias, alias };
  }

  #onlyTable(): WrittenTable {
    const table = this.#table(null);
    if (this.#peek()) throw this.#unexpected('the end of the statement');
    return table;
  }

  /** `` `a.b.c` `` counts as three. */
  #namePart(): readonly string[] {
    const token = this.#take();
    if (token?.kind === 'quoted') return token.value.split('.');
    if (token?.kind === 'word' || token?.kind === 'number') return [token.text];
    this.#next--;
    throw this.#unexpected('a name');
  }

  #name(): string {
    const token = this.#take();
    if (token?.kind === 'word' || token?.kind === 'quoted') return nameOf(token);
    this.#next--;
    throw this.#unexpected('a name');
  }

  #lastOfPath(): string {
    let name = this.#name();
    while (this.#acceptSymbol('.')) name = this.#name();
    return name;
  }

  #names(): readonly string[] {
    return this.#list().map((stretch) => {
      const [name, ...more] = this.#tokensIn(stretch);
      if (!name || more.length > 0) throw faultAt(this.#script, stretch.at, 'Expected a column name');
      return nameOf(name);
    });
  }

  /** `(a, b)` as the stretches between its commas. */
  #list(): readonly Stretch[] {
    this.#expectSymbol('(');
    const items: Stretch[] = [];
    do items.push(this.#until([[','], [')']], null));
    while (this.#acceptSymbol(','));
    this.#expectSymbol(')');
    return items;
  }

  /** Up to, not with, one of these outside of parentheses and CASE; `expected` null: or the end. */
  #until(stops: readonly (readonly string[])[], expected: string | null): Stretch {
    const start = this.#next;
    let depth = 0;
    for (; this.#next < this.#tokens.length; this.#next++) {
      const token = this.#tokens[this.#next];
      if (!token) break;
      const isPlain = token.kind === 'word' || token.kind === 'symbol';
      if (isPlain && depth === 0 && stops.some(([stop]) => stop === token.value)) break;
      if (isPlain && ['(', '[', 'CASE'].includes(token.value)) depth++;
      if (isPlain && [')', ']', 'END'].includes(token.value)) depth--;
    }
    const [first, last] = [this.#tokens[start], this.#tokens[this.#next - 1]];
    if (!first || !last || start === this.#next) throw this.#unexpected('an expression');
    if (expected !== null && !this.#peek()) throw this.#unexpected(expected);
    return { at: first.at, end: last.end };
  }

  #rest(expected: string): Stretch {
    const first = this.#peek();
    if (!first) throw this.#unexpected(expected);
    this.#next = this.#tokens.length;
    return { at: first.at, end: this.#end() };
  }

  #tokensIn(stretch: Stretch): readonly ScriptToken[] {
    return this.#tokens.filter((token) => token.at >= stretch.at && token.end <= stretch.end);
  }

  #isQueryInParentheses(): boolean {
    const after = this.#tokens[this.#next + 1];
    return after?.kind === 'word' && ['SELECT', 'WITH'].includes(after.value);
  }

  #peek(): ScriptToken | undefined {
    return this.#tokens[this.#next];
  }

  #take(): ScriptToken | undefined {
    return this.#tokens[this.#next++];
  }

  #accept(...words: readonly string[]): boolean {
    const isThere = words.every((word, index) => {
      const token = this.#tokens[this.#next + index];
      return token?.kind === 'word' && token.value === word;
    });
    if (isThere) this.#next += words.length;
    return isThere;
  }

  #expect(word: string): void {
    if (!this.#accept(word)) throw this.#unexpected(word);
  }

  #isSymbol(symbol: string): boolean {
    const token = this.#peek();
    return token?.kind === 'symbol' && token.value === symbol;
  }

  #acceptSymbol(symbol: string): boolean {
    if (!this.#isSymbol(symbol)) return false;
    this.#next++;
    return true;
  }

  #expectSymbol(symbol: string): void {
    if (!this.#acceptSymbol(symbol)) throw this.#unexpected(`"${symbol}"`);
  }

  #end(): number {
    return this.#tokens.at(-1)?.end ?? 0;
  }

  #unexpected(expected: string): Error {
    const token = this.#peek();
    const found = token ? `"${token.text}"` : 'end of script';
    return faultAt(this.#script, token?.at ?? this.#end(), `Syntax error: Expected ${expected} but got ${found}`);
  }
}

function nameOf(token: ScriptToken): string {
  return token.kind === 'quoted' ? token.value : token.text;
}
