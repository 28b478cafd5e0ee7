/** GoogleSQL text -> its tree; only what is portable parses, everything else is a fault with line, column and what to write instead. */
import type { Expression, FromItem, Pivot, Query, QueryBody, Select, SelectItem, Unpivot } from './ast.ts';
import { assertShallow } from './depth.ts';
import { ExpressionParser } from './expression-parser.ts';
import { REFUSED_FUNCTIONS } from './functions.ts';
import { invalid } from './lexer.ts';

/**
 * One expression and nothing after it.
 *
 * @throws SqlFaultError
 */
export function parseExpression(text: string): Expression {
  const parser = new Parser(text);
  const expression = parser.expression();
  parser.end();
  assertShallow(text, expression);
  return expression;
}

/**
 * One SELECT or WITH statement and nothing after it.
 *
 * @throws SqlFaultError
 */
export function parseQuery(text: string): Query {
  const parser = new Parser(text);
  const query = parser.statement();
  parser.end();
  assertShallow(text, query);
  return query;
}

const STATEMENTS = [
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'CREATE',
  'DROP',
  'ALTER',
  'TRUNCATE',
  'COPY',
  'ATTACH',
  'LOAD',
  'EXPORT',
  'CALL',
  'DECLARE',
  'SET',
  'PRAGMA',
  'INSTALL',
];

type Join = Extract<FromItem, { kind: 'join' }>;

class Parser extends ExpressionParser {
  statement(): Query {
    const token = this.peek();
    if (token.kind === 'end')
      throw invalid(this.text, token.at, 'There is no query here.', 'Write SELECT … FROM layer.table.');
    if (token.kind === 'word' && STATEMENTS.includes(token.value)) {
      throw this.refuse(
        token.at,
        `${token.value} is not allowed here.`,
        'Write one SELECT; where its rows go is not up to the query.',
      );
    }
    return this.query();
  }

  protected query(): Query {
    return this.nested(() => this.#query());
  }

  #query(): Query {
    const { at } = this.peek();
    const recursive = this.isWord('WITH') && this.isWord('RECURSIVE', 1);
    const ctes = this.isWord('WITH') ? this.#with() : [];
    const body = this.#body();
    const orderBy = this.isWord('ORDER') ? this.orderBy() : [];
    const limit = this.acceptWords('LIMIT') ? this.count() : null;
    const offset = limit !== null && this.acceptWords('OFFSET') ? this.count() : null;
    return { at, with: ctes, recursive, body, orderBy, limit, offset };
  }

  #with(): Query['with'] {
    this.take();
    this.acceptWords('RECURSIVE');
    const ctes: Query['with'][number][] = [];
    do {
      const { at } = this.peek();
      const name = this.name('the name of a WITH query');
      this.expectWord('AS');
      const opening = this.peek();
      this.expectSymbol('(');
      const query = this.query();
      this.close(')', opening);
      if (ctes.some((other) => other.name.toLowerCase() === name.toLowerCase())) {
        throw invalid(this.text, at, `WITH names “${name}” twice.`);
      }
      ctes.push({ name, query, at });
    } while (this.acceptSymbol(','));
    return ctes;
  }

  #body(): QueryBody {
    const first = this.#operand();
    const operator = this.#setOperator();
    if (operator === null) return first;
    const inputs = [first, this.#operand()];
    for (
      let { at } = this.peek(), more = this.#setOperator();
      more !== null;
      { at } = this.peek(), more = this.#setOperator()
    ) {
      if (more !== operator || operator === 'EXCEPT DISTINCT') {
        throw invalid(
          this.text,
          at,
          `${more} follows ${operator} without parentheses.`,
          'Put the inner one in parentheses.',
        );
      }
      inputs.push(this.#operand());
    }
    return { kind: 'set', operator, inputs };
  }

  #operand(): QueryBody {
    const opening = this.peek();
    if (this.acceptSymbol('(')) {
      const query = this.query();
      this.close(')', opening);
      return { kind: 'nested', query };
    }
    return { kind: 'select', ...this.#select() };
  }

  #setOperator(): Extract<QueryBody, { kind: 'set' }>['operator'] | null {
    const { at, value } = this.peek();
    if (this.peek().kind !== 'word') return null;
    if (value !== 'UNION' && value !== 'INTERSECT' && value !== 'EXCEPT') return null;
    this.take();
    if (this.acceptWords('DISTINCT')) return `${value} DISTINCT`;
    if (value === 'UNION' && this.acceptWords('ALL')) return 'UNION ALL';
    if (this.isWord('ALL')) throw this.refuse(at, `${value} ALL is not GoogleSQL.`, `Write ${value} DISTINCT.`);
    const hint = value === 'UNION' ? 'Write UNION ALL or UNION DISTINCT.' : `Write ${value} DISTINCT.`;
    throw this.refuse(at, `${value} alone is not GoogleSQL.`, hint);
  }

  #select(): Select {
    const { at } = this.peek();
    if (!this.acceptWords('SELECT')) {
      throw this.unexpected('SELECT', this.misspeltKeyword(this.peek()));
    }
    if (this.isWord('AS') && this.isWord('VALUE', 1))
      throw this.refuse(this.peek().at, 'SELECT AS VALUE is not covered.', 'Select the columns by name.');
    const asStruct = this.acceptWords('AS', 'STRUCT');
    const distinct = this.acceptWords('DISTINCT');
    if (!distinct) this.acceptWords('ALL');
    if (distinct && this.isWord('ON'))
      throw this.refuse(this.peek().at, 'DISTINCT ON is not GoogleSQL.', 'Write QUALIFY ROW_NUMBER() OVER (…) = 1.');
    const items = this.#selectItems();
    const from = this.acceptWords('FROM') ? this.#from() : null;
    const where = this.acceptWords('WHERE') ? this.expression() : null;
    const { groupBy, grouping } = this.acceptWords('GROUP', 'BY') ? this.#groupBy() : { groupBy: [], grouping: null };
    const having = this.acceptWords('HAVING') ? this.expression() : null;
    const qualify = this.acceptWords('QUALIFY') ? this.expression() : null;
    const windows = this.acceptWords('WINDOW') ? this.#windows() : [];
    return { at, distinct, asStruct, items, from, where, groupBy, grouping, having, qualify, windows };
  }

  #selectItems(): readonly SelectItem[] {
    const items = [this.#selectItem()];
    while (this.acceptSymbol(',')) {
      // GoogleSQL lets the list end in a comma.
      if (this.isWord('FROM') || this.peek().kind === 'end') break;
      items.push(this.#selectItem());
    }
    return items;
  }

  #selectItem(): SelectItem {
    const { at } = this.peek();
    if (this.acceptSymbol('*')) return this.#star(null, at);
    if (this.isName() && this.isSymbol('.', 1) && this.isSymbol('*', 2)) {
      const qualifier = this.name('a table');
      this.next += 2;
      return this.#star(qualifier, at);
    }
    const expression = this.expression();
    return { kind: 'expression', expression, alias: this.#alias() };
  }

  #star(qualifier: string | null, at: number): SelectItem {
    if (this.isWord('EXCLUDE'))
      throw this.refuse(this.peek().at, 'EXCLUDE is not GoogleSQL.', 'Write * EXCEPT (column).');
    const except =
      this.isWord('EXCEPT') && this.isSymbol('(', 1) && this.acceptWords('EXCEPT') ? this.names('a column') : [];
    const replace: { expression: Expression; name: string }[] = [];
    const opening = this.peek(1);
    if (this.isWord('REPLACE') && this.isSymbol('(', 1)) {
      this.next += 2;
      do {
        const expression = this.expression();
        this.expectWord('AS');
        replace.push({ expression, name: this.name('a column') });
      } while (this.acceptSymbol(','));
      this.close(')', opening);
    }
    return { kind: 'star', qualifier, except, replace, at };
  }

  #alias(): string | null {
    if (this.acceptWords('AS')) {
      if (this.peek().kind === 'string')
        throw this.unexpected('a name', 'Quotes make a text; names stand in backticks.');
      return this.name('a name after AS');
    }
    return this.isName() ? this.name('a name') : null;
  }

  #groupBy(): Pick<Select, 'groupBy' | 'grouping'> {
    if (this.acceptWords('ALL')) return { groupBy: 'all', grouping: null };
    if (this.acceptWords('GROUPING', 'SETS')) return this.#groupingSets();
    const kind = this.acceptWords('ROLLUP') ? 'ROLLUP' : this.acceptWords('CUBE') ? 'CUBE' : null;
    if (kind === null) return { groupBy: this.expressions(), grouping: null };
    const opening = this.peek();
    this.expectSymbol('(');
    const groupBy = this.expressions();
    this.close(')', opening);
    this.#refuseOrdinals(groupBy, kind);
    return { groupBy, grouping: { kind } };
  }

  /** `GROUPING SETS ((a, b), a, ())`; an expression that stands in several sets is one group. */
  #groupingSets(): Pick<Select, 'groupBy' | 'grouping'> {
    const groupBy: Expression[] = [];
    const texts: string[] = [];
    const placeOf = (): number => {
      const from = this.next;
      const expression = this.expression();
      const text = this.tokens
        .slice(from, this.next)
        .map((token) => (token.kind === 'word' || token.kind === 'quoted' ? token.value.toUpperCase() : token.text))
        .join(' ');
      const known = texts.indexOf(text);
      if (known >= 0) return known;
      groupBy.push(expression);
      return texts.push(text) - 1;
    };
    const opening = this.peek();
    this.expectSymbol('(');
    const sets: (readonly number[])[] = [];
    do {
      const bracket = this.peek();
      for (const kind of ['ROLLUP', 'CUBE'])
        if (this.isWord(kind))
          throw this.refuse(bracket.at, `${kind} inside GROUPING SETS is not covered.`, 'Write its sets out.');
      if (!this.acceptSymbol('(')) {
        sets.push([placeOf()]);
        continue;
      }
      const set: number[] = [];
      if (!this.isSymbol(')'))
        do set.push(placeOf());
        while (this.acceptSymbol(','));
      this.close(')', bracket);
      sets.push(set);
    } while (this.acceptSymbol(','));
    this.close(')', opening);
    this.#refuseOrdinals(groupBy, 'GROUPING SETS');
    return { groupBy, grouping: { kind: 'SETS', sets } };
  }

  #refuseOrdinals(groupBy: readonly Expression[], kind: string): void {
    for (const { kind: what, at } of groupBy) {
      if (what === 'literal')
        throw this.refuse(at, `${kind} takes no ordinals.`, 'Write the columns, or the names that SELECT gives.');
    }
  }

  #windows(): Select['windows'] {
    const windows: Select['windows'][number][] = [];
    do {
      const name = this.name('the name of a window');
      this.expectWord('AS');
      windows.push({ name, spec: this.window() });
    } while (this.acceptSymbol(','));
    return windows;
  }

  /** From left to right, whether a comma or a JOIN stands between. @source GoogleSQL, "Query syntax", sequences of JOINs */
  #from(): FromItem {
    let left = this.#fromItem();
    let hasComma = false;
    while (true) {
      const { at } = this.peek();
      if (this.acceptSymbol(',')) {
        hasComma = true;
        left = { kind: 'join', type: 'CROSS', left, right: this.#fromItem(), on: null, using: [], at };
        continue;
      }
      const type = this.#joinType();
      if (type === null) return left;
      if (hasComma && (type === 'RIGHT' || type === 'FULL'))
        throw invalid(this.text, at, `${type} JOIN cannot follow a comma in FROM.`, 'Write CROSS JOIN for the comma.');
      left = this.#join(left, type, at);
    }
  }

  #join(left: FromItem, type: Join['type'], at: number): FromItem {
    const right = this.#fromItem();
    const on = type !== 'CROSS' && this.acceptWords('ON') ? this.expression() : null;
    const using = type !== 'CROSS' && on === null && this.acceptWords('USING') ? this.names('a column') : [];
    const mayStandBare = right.kind === 'unnest' && (type === 'INNER' || type === 'LEFT');
    if (type !== 'CROSS' && on === null && using.length === 0 && !mayStandBare) {
      throw this.unexpected('ON or USING', 'A join without a condition is a CROSS JOIN.');
    }
    return { kind: 'join', type, left, right, on, using, at };
  }

  #joinType(): Join['type'] | null {
    const { at, value, kind } = this.peek();
    if (kind !== 'word') return null;
    if (['ASOF', 'SEMI', 'ANTI', 'POSITIONAL', 'NATURAL', 'LATERAL'].includes(value) && this.isWord('JOIN', 1)) {
      throw this.refuse(
        at,
        `${value} JOIN is not GoogleSQL.`,
        'Use INNER, LEFT, RIGHT, FULL or CROSS JOIN, or EXISTS.',
      );
    }
    if (this.acceptWords('JOIN') || this.acceptWords('INNER', 'JOIN')) return 'INNER';
    if (this.acceptWords('CROSS', 'JOIN')) return 'CROSS';
    for (const type of ['LEFT', 'RIGHT', 'FULL'] as const) {
      if (this.acceptWords(type, 'JOIN') || this.acceptWords(type, 'OUTER', 'JOIN')) return type;
    }
    return null;
  }

  #fromItem(): FromItem {
    let item = this.#fromSource();
    while (this.isSymbol('(', 1) || this.isWord('NULLS', 2)) {
      if (this.isWord('PIVOT')) item = { kind: 'pivot', ...this.#pivot(item) };
      else if (this.isWord('UNPIVOT')) item = { kind: 'unpivot', ...this.#unpivot(item) };
      else break;
    }
    return item;
  }

  #pivot(source: FromItem): Pivot {
    const { at } = this.take();
    const opening = this.take();
    const aggregates: { expression: Expression; alias: string | null }[] = [];
    do aggregates.push({ expression: this.expression(), alias: this.#alias() });
    while (this.acceptSymbol(','));
    this.expectWord('FOR');
    // IN belongs to PIVOT, so that only what binds closer may stand here.
    const input = this.column();
    this.expectWord('IN');
    const bracket = this.peek();
    this.expectSymbol('(');
    const values: { expression: Expression; alias: string | null }[] = [];
    do values.push({ expression: this.expression(), alias: this.#alias() });
    while (this.acceptSymbol(','));
    this.close(')', bracket);
    this.close(')', opening);
    return { source, aggregates, input, values, alias: this.#tableAlias(), at };
  }

  #unpivot(source: FromItem): Unpivot {
    const { at } = this.take();
    const includeNulls = this.acceptWords('INCLUDE', 'NULLS');
    if (!includeNulls) this.acceptWords('EXCLUDE', 'NULLS');
    const opening = this.peek();
    this.expectSymbol('(');
    if (this.isSymbol('('))
      throw this.refuse(this.peek().at, 'UNPIVOT into several columns is not covered.', 'Use UNION ALL.');
    const value = this.name('the name of the value column');
    this.expectWord('FOR');
    const label = this.name('the name of the label column');
    this.expectWord('IN');
    const bracket = this.peek();
    this.expectSymbol('(');
    const columns: { name: string; text: string; at: number }[] = [];
    do {
      const { at: place } = this.peek();
      const name = this.name('a column');
      columns.push({ name, text: this.acceptWords('AS') ? this.#label() : name, at: place });
    } while (this.acceptSymbol(','));
    this.close(')', bracket);
    this.close(')', opening);
    return { source, value, label, columns, includeNulls, alias: this.#tableAlias(), at };
  }

  #label(): string {
    const token = this.peek();
    if (token.kind !== 'string')
      throw this.refuse(token.at, 'A label of UNPIVOT is written as a text.', "Write column AS 'label'.");
    return this.take().value;
  }

  #fromSource(): FromItem {
    const opening = this.peek();
    if (this.acceptSymbol('(')) {
      const isQuery = this.isWord('SELECT') || this.isWord('WITH') || this.isSymbol('(');
      if (!isQuery) {
        const inner = this.nested(() => this.#from());
        this.close(')', opening);
        return inner;
      }
      const query = this.query();
      this.close(')', opening);
      return { kind: 'subquery', query, alias: this.#tableAlias(), at: opening.at };
    }
    if (this.acceptWords('UNNEST')) {
      const bracket = this.peek();
      this.expectSymbol('(');
      const array = this.expression();
      this.close(')', bracket);
      const alias = this.#tableAlias();
      const offset = this.acceptWords('WITH', 'OFFSET') ? (this.#alias() ?? 'offset') : null;
      return { kind: 'unnest', array, alias, offset, at: opening.at };
    }
    if (opening.kind === 'string') {
      throw this.unexpected('a table', 'A quoted text is no table; write layer.table, or backticks.');
    }
    const path = this.#path();
    const last = this.tokens[this.next - 1] ?? opening;
    const end = last.at + last.text.length;
    if (this.isSymbol('(')) {
      const hint =
        REFUSED_FUNCTIONS[path.join('.').toUpperCase()] ?? 'Name a table, as in enriched.int_sales_velocity.';
      throw this.refuse(opening.at, `${path.join('.')}(…) in FROM is not portable.`, hint);
    }
    return { kind: 'table', path, alias: this.#tableAlias(), at: opening.at, end };
  }

  #path(): readonly string[] {
    const token = this.peek();
    const parts = token.kind === 'quoted' ? this.take().value.split('.') : [this.#dashedName()];
    while (this.acceptSymbol('.')) {
      const isQuoted = this.peek().kind === 'quoted';
      const part = this.nameAfterDot();
      parts.push(...(isQuoted ? part.split('.') : [part]));
    }
    if (parts.length > 3 || parts.includes(''))
      throw invalid(this.text, token.at, `“${parts.join('.')}” names no table.`, 'Write layer.table.');
    return parts;
  }

  /** A project may have dashes, also without backticks: `my-project.gold.orders`. */
  #dashedName(): string {
    let name = this.name('a table, as layer.table,');
    const isClose = (ahead: number) => {
      const [one, other] = [this.peek(ahead - 1), this.peek(ahead)];
      return one.at + one.text.length === other.at;
    };
    while (this.isSymbol('-') && isClose(0) && isClose(1)) {
      this.take();
      const part = this.take();
      if (part.kind !== 'word' && !/^\d+$/.test(part.text)) throw this.unexpected('the rest of a project’s name');
      name += `-${part.text}`;
    }
    return name;
  }

  #tableAlias(): string | null {
    const token = this.peek();
    const word = token.kind === 'word' ? token.value : '';
    if (['PIVOT', 'UNPIVOT'].includes(word) && (this.isSymbol('(', 1) || this.isWord('NULLS', 2))) return null;
    if (['TABLESAMPLE', 'MATCH_RECOGNIZE'].includes(word) || (word === 'FOR' && this.isWord('SYSTEM_TIME', 1))) {
      throw this.refuse(token.at, `${word} is not covered.`);
    }
    if (['ASOF', 'SEMI', 'ANTI', 'POSITIONAL'].includes(word) && this.isWord('JOIN', 1)) return null;
    const alias = this.#alias();
    if (alias !== null && this.isSymbol('(')) {
      throw this.refuse(
        this.peek().at,
        'A list of column names after a table alias is not GoogleSQL.',
        'Name the columns in the subquery.',
      );
    }
    return alias;
  }
}
