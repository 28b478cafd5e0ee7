/** The functions of GoogleSQL that a spec or a mart may use: those whose result is known to be the same on every engine. */

export interface FunctionRow {
  /** `aggregate` may also take OVER; `window` must. */
  readonly kind: 'scalar' | 'aggregate' | 'window';
  readonly minArgs: number;
  /** Date parts count as no argument. */
  readonly maxArgs: number;
  /** Takes a date part (`MONTH`, `WEEK(MONDAY)`) after its arguments. */
  readonly part?: 'required' | 'optional';
  /** Takes `INTERVAL n PART` as its second argument. */
  readonly interval?: true;
  /** Aggregate whose result depends on the order of rows, so that it must be said. */
  readonly orderBy?: 'required';
}

const scalar = (minArgs: number, maxArgs = minArgs): FunctionRow => ({ kind: 'scalar', minArgs, maxArgs });
const aggregate = (minArgs: number, maxArgs = minArgs): FunctionRow => ({ kind: 'aggregate', minArgs, maxArgs });
const windowed = (minArgs: number, maxArgs = minArgs): FunctionRow => ({ kind: 'window', minArgs, maxArgs });
const MANY = Number.POSITIVE_INFINITY;

export const PORTABLE_FUNCTIONS = {
  // choosing
  IF: scalar(3),
  IFNULL: scalar(2),
  COALESCE: scalar(1, MANY),
  NULLIF: scalar(2),
  LEAST: scalar(1, MANY),
  GREATEST: scalar(1, MANY),
  // numbers
  SAFE_DIVIDE: scalar(2),
  DIV: scalar(2),
  MOD: scalar(2),
  ABS: scalar(1),
  SIGN: scalar(1),
  ROUND: scalar(1, 2),
  TRUNC: scalar(1, 2),
  CEIL: scalar(1),
  CEILING: scalar(1),
  FLOOR: scalar(1),
  POW: scalar(2),
  POWER: scalar(2),
  SQRT: scalar(1),
  EXP: scalar(1),
  LN: scalar(1),
  LOG: scalar(1, 2),
  LOG10: scalar(1),
  SAFE_ADD: scalar(2),
  SAFE_SUBTRACT: scalar(2),
  SAFE_MULTIPLY: scalar(2),
  SAFE_NEGATE: scalar(1),
  IEEE_DIVIDE: scalar(2),
  IS_NAN: scalar(1),
  IS_INF: scalar(1),
  // text
  LOWER: scalar(1),
  UPPER: scalar(1),
  TRIM: scalar(1, 2),
  LTRIM: scalar(1, 2),
  RTRIM: scalar(1, 2),
  LENGTH: scalar(1),
  CHAR_LENGTH: scalar(1),
  BYTE_LENGTH: scalar(1),
  LEFT: scalar(2),
  RIGHT: scalar(2),
  SUBSTR: scalar(2, 3),
  SUBSTRING: scalar(2, 3),
  CONCAT: scalar(1, MANY),
  REPLACE: scalar(3),
  STRPOS: scalar(2),
  INSTR: scalar(2),
  REPEAT: scalar(2),
  REVERSE: scalar(1),
  LPAD: scalar(2, 3),
  RPAD: scalar(2, 3),
  STARTS_WITH: scalar(2),
  ENDS_WITH: scalar(2),
  CONTAINS_SUBSTR: scalar(2),
  REGEXP_CONTAINS: scalar(2),
  REGEXP_EXTRACT: scalar(2),
  REGEXP_REPLACE: scalar(3),
  SPLIT: scalar(1, 2),
  JSON_VALUE: scalar(2),
  TO_HEX: scalar(1),
  MD5: scalar(1),
  SHA1: scalar(1),
  SHA256: scalar(1),
  // days and instants
  DATE: scalar(1, 3),
  DATE_ADD: { ...scalar(2), interval: true },
  DATE_SUB: { ...scalar(2), interval: true },
  DATE_DIFF: { ...scalar(2), part: 'required' },
  DATE_TRUNC: { ...scalar(1), part: 'required' },
  LAST_DAY: { ...scalar(1), part: 'optional' },
  FORMAT_DATE: scalar(2),
  PARSE_DATE: scalar(2),
  UNIX_DATE: scalar(1),
  DATE_FROM_UNIX_DATE: scalar(1),
  TIMESTAMP: scalar(1),
  TIMESTAMP_ADD: { ...scalar(2), interval: true },
  TIMESTAMP_SUB: { ...scalar(2), interval: true },
  TIMESTAMP_DIFF: { ...scalar(2), part: 'required' },
  TIMESTAMP_TRUNC: { ...scalar(1, 2), part: 'required' },
  FORMAT_TIMESTAMP: scalar(2, 3),
  PARSE_TIMESTAMP: scalar(2),
  UNIX_SECONDS: scalar(1),
  UNIX_MILLIS: scalar(1),
  UNIX_MICROS: scalar(1),
  TIMESTAMP_SECONDS: scalar(1),
  TIMESTAMP_MILLIS: scalar(1),
  TIMESTAMP_MICROS: scalar(1),
  // arrays, as far as rows can be made of them
  GENERATE_DATE_ARRAY: { ...scalar(2, 3), interval: true },
  GENERATE_ARRAY: scalar(2, 3),
  ARRAY_LENGTH: scalar(1),
  ARRAY_TO_STRING: scalar(2),
  // aggregates
  COUNT: aggregate(1),
  COUNTIF: aggregate(1),
  SUM: aggregate(1),
  AVG: aggregate(1),
  MIN: aggregate(1),
  MAX: aggregate(1),
  ANY_VALUE: aggregate(1),
  LOGICAL_AND: aggregate(1),
  LOGICAL_OR: aggregate(1),
  MAX_BY: aggregate(2),
  MIN_BY: aggregate(2),
  STDDEV: aggregate(1),
  STDDEV_SAMP: aggregate(1),
  STDDEV_POP: aggregate(1),
  VARIANCE: aggregate(1),
  VAR_SAMP: aggregate(1),
  VAR_POP: aggregate(1),
  STRING_AGG: { ...aggregate(1, 2), orderBy: 'required' },
  ARRAY_AGG: { ...aggregate(1), orderBy: 'required' },
  // windows
  ROW_NUMBER: windowed(0),
  RANK: windowed(0),
  DENSE_RANK: windowed(0),
  PERCENT_RANK: windowed(0),
  CUME_DIST: windowed(0),
  NTILE: windowed(1),
  LAG: windowed(1, 3),
  LEAD: windowed(1, 3),
  FIRST_VALUE: windowed(1),
  LAST_VALUE: windowed(1),
  NTH_VALUE: windowed(2),
  PERCENTILE_CONT: windowed(2),
  PERCENTILE_DISC: windowed(2),
} as const satisfies Readonly<Record<string, FunctionRow>>;

export type PortableFunction = keyof typeof PORTABLE_FUNCTIONS;

export function portableFunction(name: string): FunctionRow | null {
  return Object.hasOwn(PORTABLE_FUNCTIONS, name) ? PORTABLE_FUNCTIONS[name as PortableFunction] : null;
}

/** Functions that are left out on purpose, or that another dialect has, each with what to do instead. */
export const REFUSED_FUNCTIONS: { readonly [name: string]: string } = {
  CURRENT_DATE: 'The clock is no input: use @window_end, so that a rebuild gives the same rows.',
  CURRENT_TIMESTAMP: 'The clock is no input: use @window_end, so that a rebuild gives the same rows.',
  CURRENT_DATETIME: 'The clock is no input: use @window_end, so that a rebuild gives the same rows.',
  NOW: 'The clock is no input: use @window_end, so that a rebuild gives the same rows.',
  TODAY: 'The clock is no input: use @window_end, so that a rebuild gives the same rows.',
  RAND: 'Chance gives other rows at every build.',
  RANDOM: 'Chance gives other rows at every build.',
  GENERATE_UUID: 'Chance gives other rows at every build.',
  APPROX_COUNT_DISTINCT: 'Approximations differ between engines: use COUNT(DISTINCT …).',
  APPROX_QUANTILES: 'Approximations differ between engines.',
  APPROX_TOP_COUNT: 'Approximations differ between engines: use COUNT(*) with ORDER BY and LIMIT.',
  APPROX_TOP_SUM: 'Approximations differ between engines: use SUM with ORDER BY and LIMIT.',
  MEDIAN: 'Write PERCENTILE_CONT(value, 0.5) OVER (…).',
  FORMAT: 'Use CONCAT with CAST(… AS STRING), or FORMAT_DATE.',
  INITCAP: 'Engines differ in what a word is: use CONCAT(UPPER(LEFT(text, 1)), LOWER(SUBSTR(text, 2))).',
  FARM_FINGERPRINT: 'DuckDB has no such hash: use TO_HEX(MD5(text)).',
  JSON_EXTRACT: 'Write JSON_VALUE(text, path) for each value.',
  JSON_EXTRACT_SCALAR: 'Write JSON_VALUE(text, path).',
  JSON_QUERY: 'Write JSON_VALUE(text, path) for each value.',
  PARSE_JSON: 'Write JSON_VALUE(text, path) on the text itself.',
  PARSE_DATETIME: 'Write PARSE_TIMESTAMP(format, text).',
  DATETIME: 'Civil time differs between engines: use TIMESTAMP, and DATE(instant, zone).',
  DATETIME_TRUNC: 'Civil time differs between engines: write TIMESTAMP_TRUNC(instant, PART, zone).',
  STRING_SPLIT: 'Write SPLIT(text, separator).',
  TRY_CAST: 'Write SAFE_CAST(value AS TYPE).',
  COUNT_IF: 'Write COUNTIF(condition).',
  IIF: 'Write IF(condition, then, else).',
  IFF: 'Write IF(condition, then, else).',
  NVL: 'Write IFNULL(value, other).',
  ISNULL: 'Write value IS NULL.',
  LEN: 'Write LENGTH(text).',
  STRLEN: 'Write LENGTH(text).',
  CONTAINS: 'Write STRPOS(text, part) > 0.',
  PREFIX: 'Write STARTS_WITH(text, part).',
  SUFFIX: 'Write ENDS_WITH(text, part).',
  REGEXP_MATCHES: 'Write REGEXP_CONTAINS(text, pattern).',
  REGEXP_FULL_MATCH: 'Write REGEXP_CONTAINS(text, r"^(…)$").',
  DATE_PART: 'Write EXTRACT(PART FROM value).',
  DATEDIFF: 'Write DATE_DIFF(later, earlier, PART).',
  DATEADD: 'Write DATE_ADD(day, INTERVAL n PART).',
  STRFTIME: 'Write FORMAT_DATE(format, day).',
  STRPTIME: 'Write PARSE_DATE(format, text), or declare the column with a `format` in the spec.',
  YEAR: 'Write EXTRACT(YEAR FROM value).',
  MONTH: 'Write EXTRACT(MONTH FROM value).',
  DAY: 'Write EXTRACT(DAY FROM value).',
  DAYOFWEEK: 'Write EXTRACT(DAYOFWEEK FROM value); 1 is Sunday.',
  EPOCH: 'Write UNIX_SECONDS(value).',
  EPOCH_US: 'Write UNIX_MICROS(value).',
  TO_TIMESTAMP: 'Write TIMESTAMP_SECONDS(value).',
  LIST: 'Write ARRAY_AGG(value ORDER BY …).',
  GROUP_CONCAT: "Write STRING_AGG(value, ',' ORDER BY …).",
  ARG_MAX: 'Write MAX_BY(value, by).',
  ARG_MIN: 'Write MIN_BY(value, by).',
  FIRST: 'Write MIN_BY(value, by).',
  LAST: 'Write MAX_BY(value, by).',
  BOOL_AND: 'Write LOGICAL_AND(condition).',
  BOOL_OR: 'Write LOGICAL_OR(condition).',
  READ_PARQUET: 'Name a table, as in enriched.int_sales_velocity.',
  READ_CSV: 'Name a table, as in enriched.int_sales_velocity.',
  READ_CSV_AUTO: 'Name a table, as in enriched.int_sales_velocity.',
  READ_JSON: 'Name a table, as in enriched.int_sales_velocity.',
  GLOB: 'Name a table, as in enriched.int_sales_velocity.',
};

/** Date parts by what they may be used on. */
export const DATE_PARTS: readonly string[] = ['DAY', 'WEEK', 'ISOWEEK', 'MONTH', 'QUARTER', 'YEAR', 'ISOYEAR'];
export const TIME_PARTS: readonly string[] = ['MICROSECOND', 'MILLISECOND', 'SECOND', 'MINUTE', 'HOUR'];
export const INTERVAL_PARTS: readonly string[] = ['DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR', ...TIME_PARTS];
export const EXTRACT_PARTS: readonly string[] = [...DATE_PARTS, ...TIME_PARTS, 'DAYOFWEEK', 'DAYOFYEAR', 'DATE'];
export const WEEKDAYS: readonly string[] = [
  'SUNDAY',
  'MONDAY',
  'TUESDAY',
  'WEDNESDAY',
  'THURSDAY',
  'FRIDAY',
  'SATURDAY',
];
