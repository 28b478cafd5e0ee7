/** The shape of parsed GoogleSQL: one frozen tree for expressions, one for queries; `at` is an offset in the text. */

export type BinaryOperator = 'OR' | 'AND' | '=' | '<>' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '||';

export type LiteralType =
  | 'STRING'
  | 'INT64'
  | 'FLOAT64'
  | 'BOOL'
  | 'NULL'
  | 'DATE'
  | 'TIMESTAMP'
  | 'DATETIME'
  | 'NUMERIC';

/** A type as CAST names it; `NUMERIC(18, 2)` has precision and scale. */
export interface TypeName {
  readonly name: 'STRING' | 'INT64' | 'FLOAT64' | 'NUMERIC' | 'BIGNUMERIC' | 'BOOL' | 'DATE' | 'TIMESTAMP' | 'DATETIME';
  readonly precision: number | null;
  readonly scale: number | null;
}

/** `MONTH`; `WEEK(MONDAY)` carries the day that a week begins with. */
export interface DatePart {
  readonly name: string;
  readonly weekday: string | null;
  readonly at: number;
}

export type Expression = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly type: LiteralType; readonly value: string }
  | { readonly kind: 'parameter'; readonly name: string }
  /** `name`, `alias.name`, and the fields of a struct after them. */
  | { readonly kind: 'column'; readonly path: readonly string[] }
  | { readonly kind: 'unary'; readonly operator: 'NOT' | '-' | '+'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'is';
      readonly operand: Expression;
      readonly negated: boolean;
      readonly what: 'NULL' | 'TRUE' | 'FALSE';
    }
  | {
      readonly kind: 'distinct_from';
      readonly left: Expression;
      readonly right: Expression;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'between';
      readonly operand: Expression;
      readonly negated: boolean;
      readonly low: Expression;
      readonly high: Expression;
    }
  | {
      readonly kind: 'like';
      readonly operand: Expression;
      readonly negated: boolean;
      readonly pattern: Expression;
    }
  | {
      readonly kind: 'in';
      readonly operand: Expression;
      readonly negated: boolean;
      readonly source:
        | { readonly kind: 'list'; readonly items: readonly Expression[] }
        | { readonly kind: 'unnest'; readonly array: Expression }
        | { readonly kind: 'query'; readonly query: Query };
    }
  | {
      readonly kind: 'case';
      readonly operand: Expression | null;
      readonly branches: readonly { readonly when: Expression; readonly result: Expression }[];
      readonly otherwise: Expression | null;
    }
  | { readonly kind: 'cast'; readonly safe: boolean; readonly operand: Expression; readonly type: TypeName }
  | {
      readonly kind: 'extract';
      readonly part: DatePart;
      readonly operand: Expression;
      readonly zone: Expression | null;
    }
  | { readonly kind: 'interval'; readonly amount: Expression; readonly part: DatePart }
  | { readonly kind: 'array'; readonly items: readonly Expression[] }
  /** `STRUCT(a AS x, b)`; null where a field has no name of its own. */
  | {
      readonly kind: 'struct';
      readonly fields: readonly { readonly expression: Expression; readonly name: string | null }[];
    }
  /** A field of what stands before the dot: `array[OFFSET(0)].name`. */
  | { readonly kind: 'field'; readonly operand: Expression; readonly name: string }
  | {
      readonly kind: 'element';
      readonly array: Expression;
      readonly mode: 'OFFSET' | 'SAFE_OFFSET' | 'ORDINAL' | 'SAFE_ORDINAL';
      readonly index: Expression;
    }
  | { readonly kind: 'subquery'; readonly form: 'scalar' | 'exists' | 'array'; readonly query: Query }
  | ({ readonly kind: 'call' } & Call)
);

/** `NAME([DISTINCT] args [IGNORE NULLS] [ORDER BY …] [LIMIT n]) [OVER …]` */
export interface Call {
  readonly name: string;
  /** `SAFE.NAME(…)`: NULL instead of an error. */
  readonly safe: boolean;
  readonly at: number;
  readonly distinct: boolean;
  /** `COUNT(*)`; then `args` is empty. */
  readonly star: boolean;
  readonly args: readonly Expression[];
  readonly part: DatePart | null;
  readonly nulls: 'IGNORE' | 'RESPECT' | null;
  readonly orderBy: readonly OrderItem[];
  readonly limit: Expression | null;
  /** `ANY_VALUE(value HAVING MAX by)` */
  readonly having: { readonly extreme: 'MAX' | 'MIN'; readonly by: Expression } | null;
  readonly over: WindowSpec | null;
}

export type ExpressionOf<K extends Expression['kind']> = Extract<Expression, { readonly kind: K }>;

export interface OrderItem {
  readonly expression: Expression;
  readonly descending: boolean;
  /** Null: the default, first when ascending and last when descending. */
  readonly nulls: 'FIRST' | 'LAST' | null;
}

export interface WindowSpec {
  /** A window of the WINDOW clause that this one is or extends. */
  readonly base: string | null;
  readonly partitionBy: readonly Expression[];
  readonly orderBy: readonly OrderItem[];
  readonly frame: WindowFrame | null;
}

export interface WindowFrame {
  readonly unit: 'ROWS' | 'RANGE';
  readonly start: FrameBound;
  /** Null: the current row. */
  readonly end: FrameBound | null;
}

export type FrameBound =
  | { readonly kind: 'unbounded_preceding' | 'current_row' | 'unbounded_following' }
  | { readonly kind: 'preceding' | 'following'; readonly amount: Expression };

export interface Query {
  readonly at: number;
  readonly with: readonly { readonly name: string; readonly query: Query; readonly at: number }[];
  /** WITH RECURSIVE: a name may stand in its own query. */
  readonly recursive: boolean;
  readonly body: QueryBody;
  readonly orderBy: readonly OrderItem[];
  readonly limit: Expression | null;
  readonly offset: Expression | null;
}

export type QueryBody =
  | ({ readonly kind: 'select' } & Select)
  | { readonly kind: 'nested'; readonly query: Query }
  | {
      readonly kind: 'set';
      readonly operator: 'UNION ALL' | 'UNION DISTINCT' | 'INTERSECT DISTINCT' | 'EXCEPT DISTINCT';
      readonly inputs: readonly QueryBody[];
    };

export interface Select {
  readonly at: number;
  readonly distinct: boolean;
  /** SELECT AS STRUCT: one column, its value the struct of all that is selected. */
  readonly asStruct: boolean;
  readonly items: readonly SelectItem[];
  readonly from: FromItem | null;
  readonly where: Expression | null;
  /** `'all'` is GROUP BY ALL. */
  readonly groupBy: readonly Expression[] | 'all';
  /** ROLLUP and CUBE of the groups, or the sets of them that are named, as places in `groupBy`; null where there is one set. */
  readonly grouping:
    | { readonly kind: 'ROLLUP' | 'CUBE' }
    | { readonly kind: 'SETS'; readonly sets: readonly (readonly number[])[] }
    | null;
  readonly having: Expression | null;
  readonly qualify: Expression | null;
  readonly windows: readonly { readonly name: string; readonly spec: WindowSpec }[];
}

export type SelectItem =
  | { readonly kind: 'expression'; readonly expression: Expression; readonly alias: string | null }
  | {
      readonly kind: 'star';
      /** `t.*` */
      readonly qualifier: string | null;
      readonly except: readonly string[];
      readonly replace: readonly { readonly expression: Expression; readonly name: string }[];
      readonly at: number;
    };

export type FromItem =
  /** `path` is `table`, `layer.table` or `project.layer.table`; it is written from `at` up to `end`. */
  | {
      readonly kind: 'table';
      readonly path: readonly string[];
      readonly alias: string | null;
      readonly at: number;
      readonly end: number;
    }
  | { readonly kind: 'subquery'; readonly query: Query; readonly alias: string | null; readonly at: number }
  | {
      readonly kind: 'unnest';
      readonly array: Expression;
      readonly alias: string | null;
      /** The name of the element's place, from 0: `WITH OFFSET AS place`. */
      readonly offset: string | null;
      readonly at: number;
    }
  | ({ readonly kind: 'pivot' } & Pivot)
  | ({ readonly kind: 'unpivot' } & Unpivot)
  | {
      readonly kind: 'join';
      readonly type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS';
      readonly left: FromItem;
      readonly right: FromItem;
      readonly on: Expression | null;
      readonly using: readonly string[];
      readonly at: number;
    };

/** `source PIVOT (SUM(a) AS total FOR input IN ('x' AS x, …)) AS alias` */
export interface Pivot {
  readonly source: FromItem;
  readonly aggregates: readonly { readonly expression: Expression; readonly alias: string | null }[];
  readonly input: Expression;
  readonly values: readonly { readonly expression: Expression; readonly alias: string | null }[];
  readonly alias: string | null;
  readonly at: number;
}

/** `source UNPIVOT [INCLUDE NULLS] (value FOR label IN (a AS 'x', b)) AS alias` */
export interface Unpivot {
  readonly source: FromItem;
  readonly value: string;
  readonly label: string;
  /** `text` is what stands in the label column. */
  readonly columns: readonly { readonly name: string; readonly text: string; readonly at: number }[];
  readonly includeNulls: boolean;
  readonly alias: string | null;
  readonly at: number;
}

/** What a walk over a tree is told. Return false to leave out what lies below. */
export interface Visitor {
  readonly expression?: (expression: Expression) => boolean | undefined;
  readonly query?: (query: Query) => boolean | undefined;
  readonly table?: (table: Extract<FromItem, { kind: 'table' }>) => void;
}

/** The expressions directly below one, subqueries left out. */
export function operandsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'parameter':
    case 'column':
    case 'subquery':
      return [];
    case 'unary':
    case 'is':
    case 'cast':
    case 'field':
      return [expression.operand];
    case 'struct':
      return expression.fields.map((field) => field.expression);
    case 'binary':
    case 'distinct_from':
      return [expression.left, expression.right];
    case 'between':
      return [expression.operand, expression.low, expression.high];
    case 'like':
      return [expression.operand, expression.pattern];
    case 'in':
      return [
        expression.operand,
        ...(expression.source.kind === 'list' ? expression.source.items : []),
        ...(expression.source.kind === 'unnest' ? [expression.source.array] : []),
      ];
    case 'case':
      return [
        ...(expression.operand ? [expression.operand] : []),
        ...expression.branches.flatMap((branch) => [branch.when, branch.result]),
        ...(expression.otherwise ? [expression.otherwise] : []),
      ];
    case 'extract':
      return expression.zone ? [expression.operand, expression.zone] : [expression.operand];
    case 'interval':
      return [expression.amount];
    case 'array':
      return expression.items;
    case 'element':
      return [expression.array, expression.index];
    case 'call':
      return [
        ...expression.args,
        ...expression.orderBy.map((item) => item.expression),
        ...(expression.limit ? [expression.limit] : []),
        ...(expression.having ? [expression.having.by] : []),
        ...(expression.over ? windowOperands(expression.over) : []),
      ];
  }
}

function windowOperands(window: WindowSpec): readonly Expression[] {
  return [...window.partitionBy, ...window.orderBy.map((item) => item.expression)];
}

/** Expressions and queries from the top down. */
export function walkExpression(expression: Expression, visitor: Visitor): void {
  if (visitor.expression?.(expression) === false) return;
  for (const operand of operandsOf(expression)) walkExpression(operand, visitor);
  if (expression.kind === 'subquery') walkQuery(expression.query, visitor);
  if (expression.kind === 'in' && expression.source.kind === 'query') walkQuery(expression.source.query, visitor);
}

export function walkQuery(query: Query, visitor: Visitor): void {
  if (visitor.query?.(query) === false) return;
  for (const { query: inner } of query.with) walkQuery(inner, visitor);
  walkBody(query.body, visitor);
  for (const item of query.orderBy) walkExpression(item.expression, visitor);
}

function walkBody(body: QueryBody, visitor: Visitor): void {
  switch (body.kind) {
    case 'nested':
      walkQuery(body.query, visitor);
      return;
    case 'set':
      for (const input of body.inputs) walkBody(input, visitor);
      return;
    case 'select':
      for (const expression of expressionsOf(body)) walkExpression(expression, visitor);
      for (const leaf of fromLeaves(body.from)) {
        if (leaf.kind === 'subquery') walkQuery(leaf.query, visitor);
        if (leaf.kind === 'table') visitor.table?.(leaf);
      }
  }
}

/** The expressions that stand in one SELECT itself, those of its joins included. */
export function expressionsOf(select: Select): readonly Expression[] {
  const items = select.items.flatMap((item) =>
    item.kind === 'star' ? item.replace.map(({ expression }) => expression) : [item.expression],
  );
  const groups = select.groupBy === 'all' ? [] : select.groupBy;
  const windows = select.windows.flatMap(({ spec }) => windowOperands(spec));
  const conditions = [select.where, select.having, select.qualify].filter((each) => each !== null);
  return [...items, ...(select.from ? fromExpressions(select.from) : []), ...conditions, ...groups, ...windows];
}

/** Join conditions and unnested arrays. */
function fromExpressions(from: FromItem): readonly Expression[] {
  if (from.kind === 'unnest') return [from.array];
  if (from.kind === 'unpivot') return fromExpressions(from.source);
  if (from.kind === 'pivot')
    return [...fromExpressions(from.source), ...from.aggregates.map((each) => each.expression), from.input];
  if (from.kind !== 'join') return [];
  return [...fromExpressions(from.left), ...fromExpressions(from.right), ...(from.on ? [from.on] : [])];
}

/** What FROM joins, from left to right. */
export function fromLeaves(
  from: FromItem | null,
): readonly Extract<FromItem, { kind: 'table' | 'subquery' | 'unnest' }>[] {
  if (from === null) return [];
  if (from.kind === 'pivot' || from.kind === 'unpivot') return fromLeaves(from.source);
  return from.kind === 'join' ? [...fromLeaves(from.left), ...fromLeaves(from.right)] : [from];
}
