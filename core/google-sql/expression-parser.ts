/** Tokens -> the tree of one expression, by precedence from OR down to a literal; what is not portable is a fault. */
import { didYouMean } from '../did-you-mean.ts';
import type {
  BinaryOperator,
  Call,
  DatePart,
  Expression,
  FrameBound,
  OrderItem,
  Query,
  TypeName,
  WindowFrame,
  WindowSpec,
} from './ast.ts';
import { RESERVED, TokenCursor } from './cursor.ts';
import { MAX_NESTING, tooDeep } from './depth.ts';
import { DATE_PARTS, EXTRACT_PARTS, INTERVAL_PARTS, portableFunction, TIME_PARTS, WEEKDAYS } from './functions.ts';
import { invalid, type Token } from './lexer.ts';

const TYPE_NAMES: { readonly [written: string]: TypeName['name'] } = {
  STRING: 'STRING',
  INT64: 'INT64',
  INT: 'INT64',
  SMALLINT: 'INT64',
  INTEGER: 'INT64',
  BIGINT: 'INT64',
  TINYINT: 'INT64',
  BYTEINT: 'INT64',
  FLOAT64: 'FLOAT64',
  NUMERIC: 'NUMERIC',
  DECIMAL: 'NUMERIC',
  BIGNUMERIC: 'BIGNUMERIC',
  BIGDECIMAL: 'BIGNUMERIC',
  BOOL: 'BOOL',
  BOOLEAN: 'BOOL',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  DATETIME: 'DATETIME',
};
const FOREIGN_TYPES: { readonly [written: string]: string } = {
  VARCHAR: 'STRING',
  CHAR: 'STRING',
  TEXT: 'STRING',
  DOUBLE: 'FLOAT64',
  FLOAT: 'FLOAT64',
  REAL: 'FLOAT64',
  HUGEINT: 'NUMERIC',
  TIMESTAMPTZ: 'TIMESTAMP',
};
const COMPARISONS = ['=', '<>', '!=', '<', '<=', '>', '>='];
/** Functions that may stand after `SAFE.`: their only errors are texts that are not of the format. */
const SAFE_FUNCTIONS = ['PARSE_DATE', 'PARSE_TIMESTAMP'];
const NOT_A_COMPARISON = ['IS', 'LIKE', 'IN', 'BETWEEN'];

/** Whether the day that a DATE or TIMESTAMP begins with is one of the calendar. */
function isDayOfCalendar(text: string, type: 'DATE' | 'TIMESTAMP' | 'DATETIME' | 'NUMERIC'): boolean {
  if (type === 'NUMERIC') return true;
  const [year = 0, month = 0, day = 0] = text.split(/[ Tt]/)[0]?.split('-').map(Number) ?? [];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

export abstract class ExpressionParser extends TokenCursor {
  /** SELECT or WITH, as it stands in parentheses. */
  protected abstract query(): Query;

  #nesting = 0;

  /** Whatever may hold another of its kind is read in here. */
  protected nested<T>(read: () => T): T {
    this.#nesting += 1;
    if (this.#nesting > MAX_NESTING) throw tooDeep(this.text, this.peek().at);
    const inner = read();
    this.#nesting -= 1;
    return inner;
  }

  expression(): Expression {
    return this.nested(() => this.#or());
  }

  #or(): Expression {
    let left = this.#and();
    for (let { at } = this.peek(); this.acceptWords('OR'); { at } = this.peek()) {
      left = { kind: 'binary', operator: 'OR', left, right: this.#and(), at };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    for (let { at } = this.peek(); this.acceptWords('AND'); { at } = this.peek()) {
      left = { kind: 'binary', operator: 'AND', left, right: this.#not(), at };
    }
    return left;
  }

  #not(): Expression {
    const { at } = this.peek();
    if (this.acceptWords('NOT')) return { kind: 'unary', operator: 'NOT', operand: this.nested(() => this.#not()), at };
    return this.#comparison();
  }

  #comparison(): Expression {
    const left = this.#additive();
    const compared = this.#compare(left);
    if (compared === left) return left;
    const next = this.peek();
    const chains =
      next.kind === 'symbol'
        ? COMPARISONS.includes(next.value)
        : next.kind === 'word' && NOT_A_COMPARISON.includes(next.value);
    if (chains)
      throw invalid(this.text, next.at, `“${next.text}” follows another comparison.`, 'Use AND, or parentheses.');
    return compared;
  }

  #compare(left: Expression): Expression {
    const { at, kind, value } = this.peek();
    if (kind === 'symbol' && COMPARISONS.includes(value)) {
      this.take();
      const operator = (value === '!=' ? '<>' : value) as BinaryOperator;
      return { kind: 'binary', operator, left, right: this.#additive(), at };
    }
    if (this.acceptWords('IS')) return this.#is(left, at);
    const negated =
      this.isWord('NOT') && ['LIKE', 'IN', 'BETWEEN', 'ILIKE'].includes(this.peek(1).value) && this.acceptWords('NOT');
    if (this.isWord('ILIKE')) throw this.refuse(at, 'ILIKE is not GoogleSQL.', 'Write LOWER(text) LIKE pattern.');
    if (this.acceptWords('LIKE')) return this.#like(left, negated, at);
    if (this.acceptWords('BETWEEN')) {
      const low = this.#additive();
      this.expectWord('AND');
      return { kind: 'between', operand: left, negated, low, high: this.#additive(), at };
    }
    if (this.acceptWords('IN')) return this.#in(left, negated, at);
    return left;
  }

  #is(operand: Expression, at: number): Expression {
    const negated = this.acceptWords('NOT');
    if (this.acceptWords('DISTINCT', 'FROM')) {
      return { kind: 'distinct_from', left: operand, right: this.#additive(), negated, at };
    }
    for (const what of ['NULL', 'TRUE', 'FALSE'] as const) {
      if (this.acceptWords(what)) return { kind: 'is', operand, negated, what, at };
    }
    throw this.unexpected('NULL, TRUE, FALSE or DISTINCT FROM');
  }

  #like(operand: Expression, negated: boolean, at: number): Expression {
    if (['ANY', 'SOME', 'ALL'].some((word) => this.isWord(word))) return this.#likeList(operand, negated, at);
    const pattern = this.#additive();
    if (this.isWord('ESCAPE'))
      throw this.refuse(this.peek().at, 'ESCAPE is not GoogleSQL.', 'A backslash in the pattern escapes % and _.');
    return { kind: 'like', operand, negated, pattern, at };
  }

  /** `LIKE ANY (a, b)` is LIKE a OR LIKE b. */
  #likeList(operand: Expression, negated: boolean, at: number): Expression {
    const isAll = this.take().value === 'ALL';
    if (negated)
      throw this.refuse(at, 'NOT LIKE ANY and NOT LIKE ALL are read in two ways.', 'Write NOT (value LIKE ANY (…)).');
    const opening = this.peek();
    this.expectSymbol('(');
    if (this.isWord('SELECT') || this.isWord('WITH'))
      throw this.refuse(
        this.peek().at,
        'LIKE ANY of a query is not covered.',
        'Write EXISTS (SELECT … WHERE … LIKE …).',
      );
    const patterns = this.expressions();
    this.close(')', opening);
    return patterns
      .map((pattern): Expression => ({ kind: 'like', operand, negated, pattern, at }))
      .reduce((left, right) => ({ kind: 'binary', operator: isAll ? 'AND' : 'OR', left, right, at }));
  }

  #in(operand: Expression, negated: boolean, at: number): Expression {
    const opening = this.peek();
    if (this.acceptWords('UNNEST')) {
      const bracket = this.peek();
      this.expectSymbol('(');
      const array = this.expression();
      this.close(')', bracket);
      return { kind: 'in', operand, negated, source: { kind: 'unnest', array }, at };
    }
    this.expectSymbol('(');
    if (this.isWord('SELECT') || this.isWord('WITH')) {
      const query = this.query();
      this.close(')', opening);
      return { kind: 'in', operand, negated, source: { kind: 'query', query }, at };
    }
    const items = this.expressions();
    this.close(')', opening);
    return { kind: 'in', operand, negated, source: { kind: 'list', items }, at };
  }

  #additive(): Expression {
    let left = this.#multiplicative();
    while (this.isSymbol('+') || this.isSymbol('-')) {
      const { at, value } = this.take();
      left = { kind: 'binary', operator: value as BinaryOperator, left, right: this.#multiplicative(), at };
    }
    return left;
  }

  #multiplicative(): Expression {
    let left = this.#unary();
    while (this.isSymbol('*') || this.isSymbol('/') || this.isSymbol('||')) {
      const { at, value } = this.take();
      left = { kind: 'binary', operator: value as BinaryOperator, left, right: this.#unary(), at };
    }
    return left;
  }

  #unary(): Expression {
    const { at, value } = this.peek();
    if (this.isSymbol('-') || this.isSymbol('+')) {
      this.take();
      return { kind: 'unary', operator: value === '-' ? '-' : '+', operand: this.nested(() => this.#unary()), at };
    }
    return this.#postfix();
  }

  #postfix(): Expression {
    let expression = this.#primary();
    while (this.isSymbol('[') || this.isSymbol('.')) {
      const { at } = this.peek();
      if (this.acceptSymbol('.')) expression = { kind: 'field', operand: expression, name: this.nameAfterDot(), at };
      else expression = this.#element(expression);
    }
    return expression;
  }

  #element(array: Expression): Expression {
    const opening = this.take();
    const mode = this.peek().value;
    const isNamed = mode === 'OFFSET' || mode === 'SAFE_OFFSET' || mode === 'ORDINAL' || mode === 'SAFE_ORDINAL';
    if (!isNamed || !this.isSymbol('(', 1)) {
      const place = this.expression();
      this.close(']', opening);
      return { kind: 'element', array, mode: 'OFFSET', index: place, at: opening.at };
    }
    this.take();
    const bracket = this.peek();
    this.expectSymbol('(');
    const index = this.expression();
    this.close(')', bracket);
    this.close(']', opening);
    return { kind: 'element', array, mode, index, at: opening.at };
  }

  #primary(): Expression {
    const token = this.peek();
    switch (token.kind) {
      case 'number':
        return this.#number(this.take());
      case 'string':
        return this.#literal('STRING', this.take());
      case 'param':
        this.take();
        return { kind: 'parameter', name: token.value, at: token.at };
      case 'quoted':
        return this.#columnOrCall();
      case 'word':
        return this.#word(token);
      case 'symbol':
        return this.#bracketed(token);
      case 'end':
        throw this.unexpected('an expression');
    }
  }

  #number(token: Token): Expression {
    if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(token.value)) return this.#literal('FLOAT64', token);
    const value = BigInt(token.value);
    if (value > 9223372036854775807n) {
      throw invalid(this.text, token.at, `${token.text} does not fit INT64.`, `Write NUMERIC '${token.text}'.`);
    }
    return { kind: 'literal', type: 'INT64', value: value.toString(), at: token.at };
  }

  #literal(type: 'STRING' | 'INT64' | 'FLOAT64', token: Token): Expression {
    return { kind: 'literal', type, value: token.value, at: token.at };
  }

  #bracketed(token: Token): Expression {
    if (this.acceptSymbol('[')) {
      const items = this.isSymbol(']') ? [] : this.expressions();
      this.close(']', token);
      return { kind: 'array', items, at: token.at };
    }
    if (!this.acceptSymbol('(')) throw this.unexpected('an expression');
    if (this.isWord('SELECT') || this.isWord('WITH')) {
      const query = this.query();
      this.close(')', token);
      return { kind: 'subquery', form: 'scalar', query, at: token.at };
    }
    const expression = this.expression();
    if (!this.isSymbol(',')) {
      this.close(')', token);
      return expression;
    }
    // A list in parentheses is a struct whose fields have no names.
    const fields = [{ expression, name: null }];
    while (this.acceptSymbol(',')) fields.push({ expression: this.expression(), name: null });
    this.close(')', token);
    return { kind: 'struct', fields, at: token.at };
  }

  #word(token: Token): Expression {
    const { at } = token;
    const opens = this.isSymbol('(', 1);
    switch (token.value) {
      case 'TRUE':
      case 'FALSE':
        this.take();
        return { kind: 'literal', type: 'BOOL', value: token.value, at };
      case 'NULL':
        this.take();
        return { kind: 'literal', type: 'NULL', value: 'NULL', at };
      case 'CASE':
        return this.#case();
      case 'CAST':
      case 'SAFE_CAST':
        return this.#cast();
      case 'EXTRACT':
        return this.#extract();
      case 'INTERVAL':
        return this.#interval();
      case 'EXISTS':
        return this.#exists();
      case 'ARRAY':
        return this.#array();
      case 'STRUCT':
        return this.#struct();
      case 'DATE':
      case 'TIMESTAMP':
      case 'DATETIME':
      case 'NUMERIC':
      case 'DECIMAL':
        if (this.peek(1).kind === 'string') return this.#typedLiteral();
        break;
      case 'TIME':
      case 'BIGNUMERIC':
      case 'JSON':
        if (this.peek(1).kind === 'string') throw this.refuse(at, `${token.value} literals are not covered.`);
        break;
      case 'SAFE':
        if (this.isSymbol('.', 1)) return this.#safeCall();
        break;
      case 'TRY_CAST':
        if (opens) throw this.refuse(at, 'TRY_CAST is not GoogleSQL.', 'Write SAFE_CAST(value AS TYPE).');
        break;
      case 'LAMBDA':
        throw this.refuse(at, 'Lambdas are not GoogleSQL.');
    }
    const isCallOfReserved = opens && ['IF', 'LEFT', 'RIGHT', 'GROUPING'].includes(token.value);
    if (RESERVED.has(token.value) && !isCallOfReserved)
      throw this.unexpected('an expression', this.#reservedHint(token));
    return this.#columnOrCall();
  }

  #reservedHint(token: Token): string {
    return `${token.value} is a reserved word; as a name it stands in backticks.`;
  }

  #typedLiteral(): Expression {
    const word = this.take();
    const string = this.take();
    const type = word.value === 'DECIMAL' ? 'NUMERIC' : (word.value as 'DATE' | 'TIMESTAMP' | 'DATETIME' | 'NUMERIC');
    const shape = {
      DATE: /^\d{4}-\d{1,2}-\d{1,2}$/,
      TIMESTAMP: /^\d{4}-\d{1,2}-\d{1,2}([ Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,6})?)?\s*(Z|z|UTC|[+-]\d{1,2}(:\d{2})?)?$/,
      DATETIME: /^\d{4}-\d{1,2}-\d{1,2}([ Tt]\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,6})?)?$/,
      NUMERIC: /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/,
    }[type];
    if (!shape.test(string.value) || !isDayOfCalendar(string.value, type))
      throw invalid(this.text, string.at, `${string.text} is no ${type}.`);
    return { kind: 'literal', type, value: string.value, at: word.at };
  }

  #case(): Expression {
    const { at } = this.take();
    const operand = this.isWord('WHEN') ? null : this.expression();
    const branches: { when: Expression; result: Expression }[] = [];
    while (this.acceptWords('WHEN')) {
      const when = this.expression();
      this.expectWord('THEN');
      branches.push({ when, result: this.expression() });
    }
    if (branches.length === 0) throw this.unexpected('WHEN');
    const otherwise = this.acceptWords('ELSE') ? this.expression() : null;
    if (!this.acceptWords('END')) {
      if (this.peek().kind === 'end') throw invalid(this.text, at, 'This CASE is never closed.', 'Add END.');
      throw this.unexpected('WHEN, ELSE or END');
    }
    return { kind: 'case', operand, branches, otherwise, at };
  }

  #cast(): Expression {
    const word = this.take();
    const opening = this.peek();
    this.expectSymbol('(');
    const operand = this.expression();
    this.expectWord('AS');
    const type = this.#type();
    if (this.isWord('FORMAT'))
      throw this.refuse(this.peek().at, 'CAST with FORMAT is not covered.', 'Use FORMAT_DATE.');
    this.close(')', opening);
    return { kind: 'cast', safe: word.value === 'SAFE_CAST', operand, type, at: word.at };
  }

  #type(): TypeName {
    const token = this.take();
    const name = token.kind === 'word' ? TYPE_NAMES[token.value] : undefined;
    if (name === undefined) {
      const meant = FOREIGN_TYPES[token.value] ?? didYouMean(token.value, Object.keys(TYPE_NAMES));
      throw this.refuse(
        token.at,
        `“${token.text}” is no type that is covered.`,
        meant ? `Did you mean ${meant}?` : 'Use STRING, INT64, FLOAT64, NUMERIC, BOOL, DATE, DATETIME or TIMESTAMP.',
      );
    }
    const opening = this.peek();
    if (!this.acceptSymbol('(')) return { name, precision: null, scale: null };
    if (name !== 'NUMERIC' && name !== 'BIGNUMERIC')
      throw invalid(this.text, opening.at, `${token.text} takes no size.`);
    const precision = Number(this.take().value);
    const scale = this.acceptSymbol(',') ? Number(this.take().value) : 0;
    this.close(')', opening);
    const fits =
      Number.isInteger(precision) &&
      Number.isInteger(scale) &&
      scale >= 0 &&
      precision >= Math.max(1, scale) &&
      precision <= 38;
    if (!fits || (name === 'NUMERIC' && (scale > 9 || precision - scale > 29))) {
      throw invalid(
        this.text,
        token.at,
        `${name}(${precision}, ${scale}) is too large.`,
        'NUMERIC holds 29 digits before the point and 9 after it.',
      );
    }
    return { name, precision, scale };
  }

  #extract(): Expression {
    const word = this.take();
    const opening = this.peek();
    this.expectSymbol('(');
    const part = this.#part(EXTRACT_PARTS);
    this.expectWord('FROM');
    const operand = this.expression();
    const zone = this.acceptWords('AT', 'TIME', 'ZONE') ? this.expression() : null;
    this.close(')', opening);
    return { kind: 'extract', part, operand, zone, at: word.at };
  }

  #interval(): Expression {
    const word = this.take();
    if (this.peek().kind === 'string') {
      throw this.refuse(this.peek().at, 'An interval in quotes is not portable.', 'Write INTERVAL 7 DAY.');
    }
    const amount = this.#additive();
    return { kind: 'interval', amount, part: this.#part(INTERVAL_PARTS), at: word.at };
  }

  #exists(): Expression {
    const { at } = this.take();
    const opening = this.peek();
    this.expectSymbol('(');
    const query = this.query();
    this.close(')', opening);
    return { kind: 'subquery', form: 'exists', query, at };
  }

  #part(known: readonly string[]): DatePart {
    const token = this.take();
    if (token.kind === 'string')
      throw this.refuse(
        token.at,
        'A date part in quotes is not GoogleSQL.',
        `Write ${token.value.toUpperCase()} without quotes, after the value.`,
      );
    if (token.kind !== 'word' || !known.includes(token.value)) {
      const meant = didYouMean(token.value, known);
      throw this.refuse(
        token.at,
        `“${token.text}” is no date part that is covered here.`,
        meant ? `Did you mean ${meant}?` : `Use one of ${known.join(', ')}.`,
      );
    }
    const opening = this.peek();
    if (token.value !== 'WEEK' || !this.acceptSymbol('(')) return { name: token.value, weekday: null, at: token.at };
    const weekday = this.take();
    if (!WEEKDAYS.includes(weekday.value))
      throw this.refuse(weekday.at, `“${weekday.text}” is no day of the week.`, 'Write WEEK(MONDAY).');
    this.close(')', opening);
    return { name: 'WEEK', weekday: weekday.value, at: token.at };
  }

  #columnOrCall(): Expression {
    const first = this.take();
    if (first.kind === 'word' && this.isSymbol('(')) return this.#call(first);
    const path = [this.nameText(first)];
    while (this.acceptSymbol('.')) path.push(this.nameAfterDot());
    if (this.isSymbol('(')) throw this.refuse(first.at, `The function “${path.join('.')}” is not covered.`);
    return { kind: 'column', path, at: first.at };
  }

  /** `ARRAY(SELECT …)`, `ARRAY[…]` */
  #array(): Expression {
    const { at } = this.take();
    const opening = this.peek();
    if (this.isSymbol('[')) return this.#bracketed(opening);
    if (this.isSymbol('<')) throw this.refuse(opening.at, 'The type of an array is not written.', 'Write [a, b].');
    this.expectSymbol('(');
    const query = this.query();
    this.close(')', opening);
    return { kind: 'subquery', form: 'array', query, at };
  }

  #struct(): Expression {
    const { at } = this.take();
    const opening = this.peek();
    if (this.isSymbol('<'))
      throw this.refuse(opening.at, 'The type of a struct is not written.', 'Write STRUCT(a AS x, b AS y).');
    this.expectSymbol('(');
    const fields: { expression: Expression; name: string | null }[] = [];
    do {
      const expression = this.expression();
      const own = expression.kind === 'column' ? (expression.path.at(-1) ?? null) : null;
      fields.push({ expression, name: this.acceptWords('AS') ? this.name('a name after AS') : own });
    } while (this.acceptSymbol(','));
    this.close(')', opening);
    return { kind: 'struct', fields, at };
  }

  #safeCall(): Expression {
    const { at } = this.take();
    this.acceptSymbol('.');
    const word = this.peek();
    if (!SAFE_FUNCTIONS.includes(word.value) || !this.isSymbol('(', 1)) {
      throw this.refuse(
        at,
        `The SAFE. prefix is not covered for ${word.text}.`,
        `It is for ${SAFE_FUNCTIONS.join(' and ')}; else use SAFE_CAST, SAFE_DIVIDE, or an IF around the call.`,
      );
    }
    const call = this.#call(this.take());
    return call.kind === 'call' ? { ...call, safe: true, at } : call;
  }

  #call(word: Token): Expression {
    const opening = this.take();
    const row = portableFunction(word.value);
    const distinct = this.acceptWords('DISTINCT');
    const star = this.acceptSymbol('*');
    const args: Expression[] = [];
    let part: DatePart | null = null;
    if (!star && !this.isSymbol(')')) {
      do {
        const takesPart = row?.part !== undefined && args.length === row.minArgs;
        if (
          row?.part !== undefined &&
          args.length === 0 &&
          this.peek().kind === 'string' &&
          this.isSymbol(',', 1) &&
          /^[a-z]+$/i.test(this.peek().value)
        ) {
          throw this.refuse(
            this.peek().at,
            `${word.value} takes the date part last, without quotes.`,
            `Write ${word.value}(…, ${this.peek().value.toUpperCase()}).`,
          );
        }
        if (takesPart && part === null)
          part = this.#part(/^(TIMESTAMP|DATETIME)_/.test(word.value) ? [...DATE_PARTS, ...TIME_PARTS] : DATE_PARTS);
        else args.push(this.expression());
      } while (this.acceptSymbol(','));
    }
    const having = this.#having(word);
    let nulls = this.#nullTreatment();
    const orderBy = this.isWord('ORDER') ? this.orderBy() : [];
    const limit = this.acceptWords('LIMIT') ? this.count() : null;
    this.close(')', opening);
    nulls ??= this.#nullTreatment();
    if (this.isWord('FILTER') && this.isSymbol('(', 1)) {
      throw this.refuse(
        this.peek().at,
        'FILTER is not GoogleSQL.',
        'Write COUNTIF(condition), or SUM(IF(condition, value, 0)).',
      );
    }
    const over = this.acceptWords('OVER') ? this.window() : null;
    const call: Call = {
      name: word.value,
      safe: false,
      at: word.at,
      distinct,
      star,
      args,
      part,
      nulls,
      orderBy,
      limit,
      having,
      over,
    };
    return { kind: 'call', ...call };
  }

  #having(word: Token): Call['having'] {
    const { at } = this.peek();
    if (!this.acceptWords('HAVING')) return null;
    if (word.value !== 'ANY_VALUE')
      throw this.refuse(
        at,
        `HAVING inside ${word.value} is not covered.`,
        'It is for ANY_VALUE; else filter the rows first.',
      );
    const extreme = this.acceptWords('MAX') ? 'MAX' : 'MIN';
    if (extreme === 'MIN') this.expectWord('MIN');
    return { extreme, by: this.expression() };
  }

  #nullTreatment(): 'IGNORE' | 'RESPECT' | null {
    if (this.acceptWords('IGNORE', 'NULLS')) return 'IGNORE';
    return this.acceptWords('RESPECT', 'NULLS') ? 'RESPECT' : null;
  }

  protected window(): WindowSpec {
    const opening = this.peek();
    if (this.isName()) return { base: this.name('a window'), partitionBy: [], orderBy: [], frame: null };
    this.expectSymbol('(');
    const base = this.isName() ? this.name('a window') : null;
    const partitionBy = this.acceptWords('PARTITION', 'BY') ? this.expressions() : [];
    const orderBy = this.isWord('ORDER') ? this.orderBy() : [];
    const frame = this.isWord('ROWS') || this.isWord('RANGE') || this.isWord('GROUPS') ? this.#frame() : null;
    this.close(')', opening);
    return { base, partitionBy, orderBy, frame };
  }

  #frame(): WindowFrame {
    const { value, at } = this.take();
    if (value === 'GROUPS') throw this.refuse(at, 'GROUPS frames are not GoogleSQL.', 'Use ROWS or RANGE.');
    const unit = value === 'ROWS' ? 'ROWS' : 'RANGE';
    const between = this.acceptWords('BETWEEN');
    const start = this.#bound();
    if (between) this.expectWord('AND');
    const end = between ? this.#bound() : null;
    if (this.isWord('EXCLUDE')) throw this.refuse(this.peek().at, 'EXCLUDE in a frame is not GoogleSQL.');
    return { unit, start, end };
  }

  #bound(): FrameBound {
    if (this.acceptWords('CURRENT', 'ROW')) return { kind: 'current_row' };
    if (this.acceptWords('UNBOUNDED', 'PRECEDING')) return { kind: 'unbounded_preceding' };
    if (this.acceptWords('UNBOUNDED', 'FOLLOWING')) return { kind: 'unbounded_following' };
    if (this.isWord('INTERVAL')) {
      throw this.refuse(this.peek().at, 'A frame is bounded by a number.', 'Order by UNIX_DATE(day) and count days.');
    }
    const amount = this.#additive();
    if (this.acceptWords('PRECEDING')) return { kind: 'preceding', amount };
    if (this.acceptWords('FOLLOWING')) return { kind: 'following', amount };
    throw this.unexpected('PRECEDING or FOLLOWING');
  }

  /** A column by its path. */
  protected column(): Expression {
    if (!this.isName()) throw this.unexpected('a column');
    return this.#columnOrCall();
  }

  protected expressions(): readonly Expression[] {
    const expressions = [this.expression()];
    while (this.acceptSymbol(',')) expressions.push(this.expression());
    return expressions;
  }

  protected orderBy(): readonly OrderItem[] {
    this.expectWord('ORDER');
    this.expectWord('BY');
    const items: OrderItem[] = [];
    do {
      const expression = this.expression();
      const descending = this.acceptWords('DESC');
      if (!descending) this.acceptWords('ASC');
      const nulls = this.acceptWords('NULLS', 'FIRST') ? 'FIRST' : this.acceptWords('NULLS', 'LAST') ? 'LAST' : null;
      items.push({ expression, descending, nulls });
    } while (this.acceptSymbol(','));
    return items;
  }

  protected count(): Expression {
    const token = this.peek();
    if (token.kind === 'number' && /^\d+$/.test(token.value)) return this.#literal('INT64', this.take());
    if (token.kind === 'param') return this.#primary();
    throw this.unexpected('a whole number');
  }
}
