/** A call of a portable function -> DuckDB text with GoogleSQL's result, NULL for NULL, error for error. */
import type { Call } from '../core/google-sql-ast.ts';
import { DATE_PARTS, type PortableFunction } from '../core/google-sql-functions.ts';
import { civilText, renderCast } from './dialect-casts.ts';
import {
  civilTime,
  dateDifference,
  formatted as formattedText,
  hasFixedLength,
  inCalendar,
  instantOfCivil,
  interval,
  lastDay,
  timestampDifference,
  truncateDate,
  truncateInZone,
  ZONE_FAULT,
} from './dialect-dates.ts';
import { renderFormat } from './dialect-format.ts';
import { capitalized, lower, reversed, upper, WORD_DELIMITERS } from './dialect-letters.ts';
import {
  add,
  divide,
  integerQuotient,
  isBigNumeric,
  mean,
  multiply,
  remainder,
  roundedFloat,
  truncatedNumeric,
} from './dialect-numbers.ts';
import { type ParsedFormat, parseFormat } from './dialect-parsing.ts';
import { leavesGroupOpen, regexpGroups } from './dialect-regexp.ts';
import {
  arrayOf,
  BOOL,
  BYTES,
  coerced,
  commonType,
  DATE,
  DATETIME,
  FLOAT64,
  INT64,
  isBig,
  isNested,
  isNumber,
  isOpen,
  NUMERIC_SCALE,
  numeric,
  ranged,
  type Sql,
  type SqlType,
  STRING,
  sql,
  TIMESTAMP,
  UNKNOWN,
} from './dialect-types.ts';
import { literal } from './sql-text.ts';

/** A call whose parts are DuckDB text already. */
export interface RenderedCall {
  readonly call: Call;
  readonly args: readonly Sql[];
  /** ` ORDER BY …` of the call itself, with its leading space, or nothing. */
  readonly orderBy: string;
  /** ` OVER (…)`, or nothing. */
  readonly over: string;
  readonly limit: string | null;
  /** The value that `HAVING MAX` goes by. */
  readonly having: Sql | null;
  /** Text of the amount of `INTERVAL n PART`. */
  readonly amount: string;
  /** Throws the fault. */
  refuse(message: string, hint?: string): never;
}

type Render = (call: RenderedCall) => Sql;

/** DuckDB's `trim` takes off blanks only. @source GoogleSQL, "String functions", TRIM: all Unicode whitespace */
const WHITESPACE = literal(
  '\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);

function arg(call: RenderedCall, index: number): Sql {
  const value = call.args[index];
  if (!value) throw new Error(`${call.call.name} was rendered without its argument ${index + 1}`);
  return value;
}

/** Argument types that a function takes; what is not known is taken on trust. */
function expectKind(call: RenderedCall, index: number, kinds: readonly SqlType['kind'][], hint?: string): Sql {
  const value = arg(call, index);
  const isTextForDate =
    value.literal?.kind === 'string' && kinds.some((kind) => ['DATE', 'TIMESTAMP', 'DATETIME'].includes(kind));
  if (isOpen(value.type) || kinds.includes(value.type.kind) || isTextForDate) return value;
  return call.refuse(`${call.call.name} takes ${kinds.join(' or ')}, not ${value.type.kind}.`, hint);
}

const text = (call: RenderedCall, index: number): string =>
  expectKind(call, index, ['STRING'], 'Write CAST(value AS STRING).').text;
const whole = (call: RenderedCall, index: number): string => expectKind(call, index, ['INT64']).text;
const day = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['DATE'], 'Write DATE(value).'), DATE);
const civilOf = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['DATETIME'], 'Write DATETIME(value).'), DATETIME);
const instant = (call: RenderedCall, index: number): string =>
  coerced(expectKind(call, index, ['TIMESTAMP'], 'Write TIMESTAMP(value).'), TIMESTAMP);
const condition = (call: RenderedCall, index: number): string => expectKind(call, index, ['BOOL']).text;

function common(
  call: RenderedCall,
  values: readonly Sql[],
): { readonly texts: readonly string[]; readonly type: SqlType } {
  const type = commonType(values);
  if (type === null) {
    return call.refuse(
      `${call.call.name} mixes ${[...new Set(values.map((value) => value.type.kind))].join(' and ')}.`,
      'Cast them to one type.',
    );
  }
  return { texts: values.map((value) => coerced(value, type)), type };
}

/** `NAME(a, b)` of DuckDB, NULL where any argument is. */
const same =
  (name: string, type: SqlType, ...read: ((call: RenderedCall, index: number) => string)[]): Render =>
  (call) =>
    sql(
      `${name}(${call.args.map((value, index) => (read[index] ?? (() => value.text))(call, index)).join(', ')})`,
      type,
    );

/** LEAST and GREATEST are NULL where any value is; DuckDB's pass over NULL. */
const extreme =
  (name: 'least' | 'greatest'): Render =>
  (call) => {
    const { texts, type } = common(call, call.args);
    const isNull = texts.map((value) => `${value} IS NULL`).join(' OR ');
    return sql(`(CASE WHEN ${isNull} THEN NULL ELSE ${name}(${texts.join(', ')}) END)`, type);
  };

const trimmed =
  (name: 'trim' | 'ltrim' | 'rtrim'): Render =>
  (call) =>
    sql(`${name}(${text(call, 0)}, ${call.args.length > 1 ? text(call, 1) : WHITESPACE})`, STRING);

/** A count of letters; where it is negative, an error. DuckDB would count from the other end, or give nothing. */
function lettersOf(call: RenderedCall, index: number): string {
  const count = whole(call, index);
  const { literal: known } = arg(call, index);
  if (known?.kind === 'int' && Number(known.value) >= 0) return count;
  return `CASE WHEN ${count} < 0 THEN error('${call.call.name} with a negative length') ELSE ${count} END`;
}

const padded =
  (name: 'lpad' | 'rpad'): Render =>
  (call) =>
    sql(
      `${name}(${text(call, 0)}, CAST(${lettersOf(call, 1)} AS INTEGER), ${call.args.length > 2 ? text(call, 2) : "' '"})`,
      STRING,
    );

/** `left`, `right` and `repeat`: a text and a count. */
const counted =
  (name: 'left' | 'right' | 'repeat'): Render =>
  (call) =>
    sql(`${name}(${text(call, 0)}, CAST(${lettersOf(call, 1)} AS BIGINT))`, STRING);

/** Position 0 and positions before the text's begin mean its first character. */
const substring: Render = (call) => {
  const value = text(call, 0);
  const position = arg(call, 1);
  const isPlain = position.literal?.kind === 'int' && Number(position.literal.value) > 0;
  const start = isPlain
    ? position.text
    : `CASE WHEN ${position.text} = 0 OR ${position.text} < -length(${value}) THEN 1 ELSE ${position.text} END`;
  if (call.args.length < 3) return sql(`substr(${value}, ${start})`, STRING);
  const length = arg(call, 2);
  const count =
    length.literal?.kind === 'int'
      ? length.text
      : `CASE WHEN ${length.text} < 0 THEN error('SUBSTR with a negative length') ELSE ${length.text} END`;
  return sql(`substr(${value}, ${start}, ${count})`, STRING);
};

/** NULL where any part is; DuckDB's `concat` passes over NULL. */
const concatenation: Render = (call) => sql(`(${call.args.map((_, index) => text(call, index)).join(' || ')})`, STRING);

/** Letter for letter; a letter of the first text without one in the second is left out. */
const translated: Render = (call) => {
  const [from, to] = [call.args[1]?.literal, call.args[2]?.literal];
  if (from?.kind !== 'string' || to?.kind !== 'string' || new Set(from.value).size < [...from.value].length)
    return call.refuse('TRANSLATE takes its letters as literals, each once.', 'Use REPLACE.');
  return sql(`translate(${text(call, 0)}, ${literal(from.value)}, ${literal(to.value)})`, STRING);
};

const containsIgnoringCase: Render = (call) => {
  const part = arg(call, 1);
  const isPlain = part.literal?.kind === 'string' && /^[\x20-\x7e]+$/.test(part.literal.value);
  if (!isPlain)
    return call.refuse('CONTAINS_SUBSTR takes a plain ASCII text to look for.', 'Write STRPOS(text, part) > 0.');
  return sql(`contains(${lower(text(call, 0))}, lower(${part.text}))`, BOOL);
};

/** The match, or its one group; NULL where nothing matches (DuckDB answers with an empty text). */
const regexpExtract: Render = (call) => {
  const pattern = arg(call, 1).literal;
  if (pattern?.kind !== 'string') return call.refuse('REGEXP_EXTRACT takes its pattern as a literal.', 'Write r"…".');
  const groups = regexpGroups(pattern.value);
  if (leavesGroupOpen(pattern.value))
    return call.refuse(
      'The group of REGEXP_EXTRACT may take no part in a match, and engines differ on what it then is.',
      'Put ? * and | inside the group.',
    );
  if (groups > 1) return call.refuse('REGEXP_EXTRACT takes one group at most.', 'Write (?:…) for the others.');
  const value = text(call, 0);
  const match = `regexp_extract(${value}, ${arg(call, 1).text}, ${groups})`;
  return sql(`(CASE WHEN regexp_matches(${value}, ${arg(call, 1).text}) THEN ${match} END)`, STRING);
};

/** Every match, or its one group; an empty array where nothing matches. */
const regexpExtractAll: Render = (call) => {
  const pattern = arg(call, 1).literal;
  if (pattern?.kind !== 'string')
    return call.refuse('REGEXP_EXTRACT_ALL takes its pattern as a literal.', 'Write r"…".');
  const groups = regexpGroups(pattern.value);
  if (groups > 1) return call.refuse('REGEXP_EXTRACT_ALL takes one group at most.', 'Write (?:…) for the others.');
  if (leavesGroupOpen(pattern.value))
    return call.refuse(
      'The group of REGEXP_EXTRACT_ALL may take no part in a match, and engines differ on what it then is.',
      'Put ? * and | inside the group.',
    );
  const all = (group: number) => `regexp_extract_all(${text(call, 0)}, ${arg(call, 1).text}, ${group})`;
  const fault = literal('REGEXP_EXTRACT_ALL met an empty match, which engines count differently: write + for *');
  return sql(`(CASE WHEN list_contains(${all(0)}, '') THEN error(${fault}) ELSE ${all(groups)} END)`, arrayOf(STRING));
};

const rounded: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const digits = call.args[1];
  if (digits !== undefined && digits.literal?.kind !== 'int')
    return call.refuse('ROUND takes its digits as a literal.');
  const isExact = value.type.kind === 'NUMERIC' || value.type.kind === 'UNKNOWN' || value.type.kind === 'NULL';
  if (value.type.kind === 'FLOAT64' && Number(digits?.literal?.value ?? 0) > 0) {
    if (Number(digits?.literal?.value) > 11)
      return call.refuse('ROUND of a FLOAT64 takes 11 digits at most.', 'Write ROUND(CAST(value AS NUMERIC), digits).');
    return sql(roundedFloat(value.text, Number(digits?.literal?.value)), FLOAT64);
  }
  const operand = isExact ? value.text : coerced(value, FLOAT64);
  const scale = Math.max(0, Number(digits?.literal?.value ?? 0));
  const type =
    value.type.kind === 'NUMERIC'
      ? numeric(Math.min(scale, value.type.scale), isBig(value.type))
      : isExact
        ? value.type
        : FLOAT64;
  return sql(ranged(`round(${operand}${digits ? `, ${digits.text}` : ''})`, type), type);
};

/** Refuses a BIGNUMERIC, whose quotient has 38 digits after the point. */
function withoutBig(call: RenderedCall): RenderedCall {
  if (isBigNumeric(...call.args))
    return call.refuse(
      `${call.call.name} of a BIGNUMERIC has 38 digits after the point, more than DuckDB keeps.`,
      'Write CAST(value AS NUMERIC).',
    );
  return call;
}

const toWhole =
  (name: 'trunc' | 'ceil' | 'floor'): Render =>
  (call) => {
    const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
    if (isOpen(value.type)) return sql(`${name}(${value.text})`, UNKNOWN);
    const isExact = value.type.kind === 'NUMERIC';
    return sql(
      `${name}(${isExact ? value.text : coerced(value, FLOAT64)})`,
      isExact ? numeric(0, isBig(value.type)) : FLOAT64,
    );
  };

/** With digits: of NUMERIC only, where a power of ten is exact. DuckDB's own `trunc` answers in floating point. */
const truncated: Render = (call) => {
  withoutBig(call);
  const digits = call.args[1];
  const value = arg(call, 0);
  if (digits === undefined && value.type.kind !== 'NUMERIC') return toWhole('trunc')(call);
  expectKind(call, 0, ['NUMERIC'], 'Write TRUNC(CAST(value AS NUMERIC), digits).');
  const places = digits === undefined ? 0 : Number(digits.literal?.kind === 'int' ? digits.literal.value : Number.NaN);
  if (!(Math.abs(places) <= NUMERIC_SCALE)) return call.refuse('TRUNC takes its digits as a literal, nine at most.');
  if (value.type.kind !== 'NUMERIC') return call.refuse('TRUNC with digits wants to know that its value is NUMERIC.');
  return places >= value.type.scale ? value : truncatedNumeric(value, places);
};

/** A sum, difference or product of whole or exact numbers; NULL where it does not fit. */
const safely =
  (compute: (left: Sql, right: Sql) => Sql): Render =>
  (call) => {
    withoutBig(call);
    const operands = call.args.map((_, index) => expectKind(call, index, ['INT64', 'NUMERIC']));
    const [left, right] = [operands[0] ?? arg(call, 0), operands[1] ?? { text: '0', type: INT64 }];
    const open = operands.find((operand) => isOpen(operand.type));
    if (open) return call.refuse(`${call.call.name} wants to know the types of its numbers.`, 'Cast them.');
    const isWhole = operands.every((operand) => operand.type.kind === 'INT64');
    if (!isWhole) {
      const exact = compute(left, right);
      return sql(`TRY(CAST(${exact.text} AS DECIMAL(38, ${NUMERIC_SCALE})))`, numeric(NUMERIC_SCALE));
    }
    const wide = (value: Sql): Sql => ({ text: `CAST(${value.text} AS HUGEINT)`, type: UNKNOWN });
    return sql(`TRY_CAST(${compute(wide(left), wide(right)).text} AS BIGINT)`, INT64);
  };

/** Infinite or no number where the divisor is 0, never an error. */
const ieeeDivide: Render = (call) => {
  const [a, b] = [0, 1].map((index) => `CAST(${expectKind(call, index, ['INT64', 'FLOAT64']).text} AS DOUBLE)`);
  const byZero = `CASE WHEN ${a} = 0 OR isnan(${a}) THEN 'nan' WHEN ${a} > 0 THEN 'inf' ELSE '-inf' END`;
  return sql(
    `(CASE WHEN ${a} IS NULL OR ${b} <> 0 THEN ${a} / ${b} WHEN ${b} = 0 THEN CAST(${byZero} AS DOUBLE) END)`,
    FLOAT64,
  );
};

/** LOG of one argument is the natural one. */
const logarithm: Render = (call) => {
  const { text: value } = floating('ln')({ ...call, args: call.args.slice(0, 1) });
  if (call.args.length === 1) return sql(value, FLOAT64);
  return sql(`(${value} / ${floating('ln')({ ...call, args: call.args.slice(1) }).text})`, FLOAT64);
};

const digest =
  (name: 'md5' | 'sha1' | 'sha256'): Render =>
  (call) =>
    sql(`unhex(${name}(${text(call, 0)}))`, BYTES);

/** A path of names and places: `$.tags[0].name`. */
const JSON_PATH = /^\$(\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])*$/;

/** A text, number or truth value; NULL for anything else, and where the text is no JSON. */
const jsonValue: Render = (call) => {
  const path = arg(call, 1);
  if (path.literal?.kind !== 'string' || !JSON_PATH.test(path.literal.value))
    return call.refuse('JSON_VALUE takes a plain path as a literal.', "Write JSON_VALUE(text, '$.name[0].part').");
  const json = `(CASE WHEN json_valid(${text(call, 0)}) THEN ${text(call, 0)} END)`;
  const kind = `json_type(${json}, ${path.text})`;
  const value = `(${json} ->> ${path.text})`;
  const texts = `${kind} IN ('VARCHAR', 'BOOLEAN', 'BIGINT', 'UBIGINT', 'INTEGER', 'UINTEGER')`;
  const fraction = `CASE WHEN len(${otherWritings(json, value)}) > 0 THEN error(${literal(FRACTION_FAULT)}) ELSE ${value} END`;
  return {
    text: `(CASE WHEN ${texts} THEN ${value} WHEN ${kind} = 'DOUBLE' THEN ${fraction} END)`,
    type: STRING,
    numberText: `(CASE WHEN ${texts} OR ${kind} = 'DOUBLE' THEN ${value} END)`,
  };
};

/** Texts, numbers and truth values of an array, in its order; NULL where there is none, or one element is something else. */
const jsonValues: Render = (call) => {
  const path = call.args[1];
  if (path !== undefined && (path.literal?.kind !== 'string' || !JSON_PATH.test(path.literal.value)))
    return call.refuse(`${call.call.name} takes a plain path as a literal.`, "Write JSON_VALUE_ARRAY(text, '$.name').");
  const json = `(CASE WHEN json_valid(${text(call, 0)}) THEN ${text(call, 0)} END)`;
  const list = `CAST(json_extract(${json}, ${path?.text ?? "'$'"}) AS JSON[])`;
  const plain = `'VARCHAR', 'BOOLEAN', 'BIGINT', 'UBIGINT', 'INTEGER', 'UINTEGER'`;
  const isOther = `len(list_filter(${list}, lambda j: json_type(j) NOT IN (${plain}, 'DOUBLE'))) > 0`;
  const element = `CASE WHEN json_type(j) = 'DOUBLE' THEN error(${literal(FRACTIONS_FAULT)}) ELSE j ->> '$' END`;
  const isArray = `json_type(${json}, ${path?.text ?? "'$'"}) = 'ARRAY'`;
  return sql(
    `(CASE WHEN NOT ${isArray} OR ${isOther} THEN NULL WHEN ${isArray} THEN list_transform(${list}, lambda j: ${element}) END)`,
    arrayOf(STRING),
  );
};

const FRACTIONS_FAULT = 'JSON_VALUE_ARRAY met a number such as 1.50 or 1e3, whose text differs between engines';

const FRACTION_FAULT =
  'JSON_VALUE met a number such as 1.50 or 1e3, whose text differs between engines; CAST(JSON_VALUE(…) AS NUMERIC) takes it';

/** DuckDB writes 1.50 as 1.5: the numbers of a JSON text that have this value, and another text. */
function otherWritings(json: string, value: string): string {
  const numbers = `regexp_extract_all(${json}, '-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?')`;
  return `list_filter(${numbers}, lambda n: n <> ${value} AND TRY_CAST(n AS DOUBLE) = TRY_CAST(${value} AS DOUBLE))`;
}

const floating =
  (name: string): Render =>
  (call) => {
    for (const index of call.args.keys())
      expectKind(
        call,
        index,
        ['INT64', 'FLOAT64'],
        'NUMERIC is computed differently by the engines: write CAST(value AS FLOAT64).',
      );
    const operands = call.args.map((value) => `CAST(${value.text} AS DOUBLE)`);
    const value = `${name}(${operands.join(', ')})`;
    // What has no finite value is an error, where DuckDB may answer with infinity.
    const isOutside = [`isinf(${value})`, ...operands.map((operand) => `NOT isinf(${operand})`)].join(' AND ');
    return sql(
      `(CASE WHEN ${isOutside} THEN error('${call.call.name} has no finite value here') ELSE ${value} END)`,
      FLOAT64,
    );
  };

const DATE_SOURCES: readonly SqlType['kind'][] = ['DATE', 'TIMESTAMP', 'DATETIME'];

/** Civil time in the zone that is the argument `index`. */
function civil(call: RenderedCall, moment: string, index: number): string {
  return civilTime(moment, arg(call, index)) ?? call.refuse(ZONE_FAULT.message, ZONE_FAULT.hint);
}

const dateOf: Render = (call) => {
  if (call.args.length === 3) {
    const [year, month, dayOfMonth] = [0, 1, 2].map((index) => whole(call, index));
    return sql(`make_date(${year}, ${month}, ${dayOfMonth})`, DATE);
  }
  if (call.args.length === 2) return sql(`CAST(${civil(call, instant(call, 0), 1)} AS DATE)`, DATE);
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS DATE).');
  return value.type.kind === 'DATE' ? value : sql(`CAST(${value.text} AS DATE)`, DATE);
};

const timestampOf: Render = (call) => {
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS TIMESTAMP).');
  if (call.args.length > 1) {
    if (!['DATE', 'DATETIME'].includes(value.type.kind))
      return call.refuse(
        'TIMESTAMP with a time zone takes a DATE or DATETIME.',
        'Write TIMESTAMP(CAST(text AS DATETIME), zone).',
      );
    const zone = arg(call, 1);
    civil(call, "TIMESTAMPTZ '1970-01-01'", 1);
    return sql(instantOfCivil(`CAST(${value.text} AS TIMESTAMP)`, zone), TIMESTAMP);
  }
  return sql(`CAST(${value.text} AS TIMESTAMPTZ)`, TIMESTAMP);
};

const partOf = (call: RenderedCall) => call.call.part ?? { name: 'MONTH', weekday: null, at: call.call.at };

/** The part of the `INTERVAL n PART` that the call has been given. */
function intervalPart(call: RenderedCall) {
  const argument = call.call.args.find((candidate) => candidate.kind === 'interval');
  if (argument?.kind !== 'interval') throw new Error(`${call.call.name} was rendered without its interval`);
  return argument.part;
}

const dateShift =
  (sign: '+' | '-'): Render =>
  (call) => {
    const part = intervalPart(call);
    if (hasFixedLength(part) && part.name !== 'DAY')
      return call.refuse(`${call.call.name} takes no ${part.name}.`, 'Write TIMESTAMP_ADD or TIMESTAMP_SUB.');
    return sql(inCalendar(`CAST(${day(call, 0)} ${sign} ${interval(call.amount, part)} AS DATE)`, 'DATE'), DATE);
  };

const datetimeOf: Render = (call) => {
  if (call.args.length === 6) {
    const [year, month, dayOfMonth, hour, minute, second] = call.args.map((_, index) => whole(call, index));
    return sql(
      `make_timestamp(${year}, ${month}, ${dayOfMonth}, ${hour}, ${minute}, CAST(${second} AS DOUBLE))`,
      DATETIME,
    );
  }
  if (call.args.length > 2) return call.refuse('DATETIME takes an instant and a zone, a day, or six numbers.');
  if (call.args.length === 2) return sql(civil(call, instant(call, 0), 1), DATETIME);
  const value = expectKind(call, 0, DATE_SOURCES, 'Write CAST(text AS DATETIME).');
  return sql(
    value.type.kind === 'TIMESTAMP' ? `(${value.text} AT TIME ZONE 'UTC')` : `CAST(${value.text} AS TIMESTAMP)`,
    DATETIME,
  );
};

const datetimeShift =
  (sign: '+' | '-'): Render =>
  (call) =>
    sql(
      inCalendar(`(${civilOf(call, 0)} ${sign} ${interval(call.amount, intervalPart(call))})`, 'TIMESTAMP'),
      DATETIME,
    );

const datetimeTrunc: Render = (call) => {
  const part = partOf(call);
  const value = civilOf(call, 0);
  if (hasFixedLength(part)) return sql(`date_trunc(${literal(part.name.toLowerCase())}, ${value})`, DATETIME);
  return sql(`CAST(${truncateDate(`CAST(${value} AS DATE)`, part)} AS TIMESTAMP)`, DATETIME);
};

/** The text of an instant, in UTC or at the offset of a zone. */
const stringOf: Render = (call) => {
  const value = expectKind(call, 0, ['TIMESTAMP', 'DATE', 'DATETIME', 'BOOL', 'INT64'], 'Write CAST(value AS STRING).');
  if (call.args.length > 1) {
    const moment = instant(call, 0);
    // Whole minutes: the mean solar times of before 1940 have seconds too, which GoogleSQL leaves out.
    const offset = `(date_diff('second', (${moment} AT TIME ZONE 'UTC'), ${civil(call, moment, 1)}) // 60)`;
    const local = `((${moment} AT TIME ZONE 'UTC') + ${offset} * INTERVAL 1 MINUTE)`;
    const pad = (number: string) => `lpad(CAST(${number} AS VARCHAR), 2, '0')`;
    const minutes = `CASE WHEN abs(${offset}) % 60 = 0 THEN '' ELSE ':' || ${pad(`abs(${offset}) % 60`)} END`;
    const sign = `CASE WHEN ${offset} < 0 THEN '-' ELSE '+' END`;
    return sql(`(${civilText(local)} || ${sign} || ${pad(`abs(${offset}) // 60`)} || ${minutes})`, STRING);
  }
  return written(call, value);
};

function written(call: RenderedCall, value: Sql): Sql {
  const cast = renderCast(value, { name: 'STRING', precision: null, scale: null }, false);
  return 'refused' in cast ? call.refuse(cast.refused, cast.hint) : cast;
}

const timestampShift =
  (sign: '+' | '-'): Render =>
  (call) => {
    const part = intervalPart(call);
    if (!hasFixedLength(part))
      return call.refuse(
        `${call.call.name} takes no ${part.name}.`,
        'Months and years have no fixed length: use DATE_ADD.',
      );
    return sql(inCalendar(`(${instant(call, 0)} ${sign} ${interval(call.amount, part)})`, 'TIMESTAMPTZ'), TIMESTAMP);
  };

const timestampDiff: Render = (call) => {
  const part = partOf(call);
  if (!hasFixedLength(part))
    return call.refuse(`TIMESTAMP_DIFF takes no ${part.name}.`, 'Write DATE_DIFF(DATE(later), DATE(earlier), PART).');
  return sql(timestampDifference(instant(call, 0), instant(call, 1), part), INT64);
};

const timestampTrunc: Render = (call) => {
  const part = partOf(call);
  const value = instant(call, 0);
  if (call.args.length > 1) {
    const local = civil(call, value, 1);
    if (hasFixedLength(part) && part.name !== 'DAY') return sql(truncateInZone(value, local, part), TIMESTAMP);
    const first = `CAST(${truncateDate(`CAST(${local} AS DATE)`, part)} AS TIMESTAMP)`;
    return sql(instantOfCivil(first, arg(call, 1)), TIMESTAMP);
  }
  if (hasFixedLength(part)) return sql(`date_trunc(${literal(part.name.toLowerCase())}, ${value})`, TIMESTAMP);
  return sql(`CAST(${truncateDate(`CAST(${value} AS DATE)`, part)} AS TIMESTAMPTZ)`, TIMESTAMP);
};

const lastDayOf: Render = (call) => {
  if (partOf(call).name === 'ISOYEAR') return call.refuse('LAST_DAY takes no ISOYEAR here.');
  return sql(lastDay(day(call, 0), partOf(call)), DATE);
};

const formatted =
  (value: (call: RenderedCall, index: number) => string): Render =>
  (call) => {
    const format = arg(call, 0).literal;
    if (format?.kind !== 'string') return call.refuse(`${call.call.name} takes its format as a literal.`);
    const isInUtc = call.call.name === 'FORMAT_TIMESTAMP' && call.args.length < 3;
    const found = formattedText(value(call, 1), format.value, call.call.name !== 'FORMAT_DATE', isInUtc);
    if (typeof found !== 'string')
      return call.refuse(
        `“${found.unknown}” is no format code that every engine writes alike.`,
        'Use %Y %m %d %F %D %e %H %I %M %p %S %E3S %E*S %T %R %y %b %B %a %A %j %Q %G %V %U %W %u %w.',
      );
    return sql(found, STRING);
  };

const UTC: Sql = { text: "'UTC'", type: STRING, literal: { kind: 'string', value: 'UTC' } };

/** What stands for a text that is not of the format: an error, or NULL after `SAFE.`. */
const parsedBy =
  (assemble: (parsed: ParsedFormat, value: string) => string, type: SqlType): Render =>
  (call) => {
    const format = arg(call, 0).literal;
    if (format?.kind !== 'string') return call.refuse(`${call.call.name} takes its format as a literal.`);
    const parsed = parseFormat(format.value, type.kind !== 'DATE');
    if ('unknown' in parsed)
      return call.refuse(
        `“${parsed.unknown}” is no format code that every engine reads alike.`,
        `Use %Y %y %m %b %B %d %e %F %D${type.kind === 'DATE' ? '' : ' %H %I %p %M %S %E*S %T %R'}.`,
      );
    const value = text(call, 1);
    const civilTimeRead = assemble(parsed, value);
    if (call.args.length > 2) civil(call, "TIMESTAMPTZ '1970-01-01'", 2);
    const read = type.kind === 'TIMESTAMP' ? instantOfCivil(civilTimeRead, call.args[2] ?? UTC) : civilTimeRead;
    if (call.call.safe) return sql(`(${read})`, type);
    const message = `concat('Cannot read ', ${value}, ${literal(` by the format ${format.value}`)})`;
    return sql(`(CASE WHEN ${value} IS NULL THEN NULL ELSE coalesce(${read}, error(${message})) END)`, type);
  };

const dateArray: Render = (call) => {
  const step = call.call.args[2];
  const part = step?.kind === 'interval' ? step.part : null;
  if (step !== undefined && stepOf(call) === 0)
    return call.refuse('GENERATE_DATE_ARRAY takes a step that is a literal other than 0.', 'Write INTERVAL 1 DAY.');
  if (part !== null && !DATE_PARTS.includes(part.name))
    return call.refuse(`GENERATE_DATE_ARRAY takes no ${part.name}.`, 'Write INTERVAL 1 DAY.');
  const by = part === null ? 'INTERVAL 1 DAY' : interval(call.amount, part);
  return sql(`CAST(generate_series(${day(call, 0)}, ${day(call, 1)}, ${by}) AS DATE[])`, arrayOf(DATE));
};

/** The number in `INTERVAL -1 DAY`; 0 where it is no literal. */
function stepOf(call: RenderedCall): number {
  const step = call.call.args[2];
  if (step?.kind !== 'interval') return 0;
  const { amount } = step;
  if (amount.kind === 'literal') return Number(amount.value);
  const isNegative = amount.kind === 'unary' && amount.operator === '-' && amount.operand.kind === 'literal';
  return isNegative && amount.operand.kind === 'literal' ? -Number(amount.operand.value) : 0;
}

const instantArray: Render = (call) => {
  const part = intervalPart(call);
  if (!hasFixedLength(part) || stepOf(call) === 0)
    return call.refuse('GENERATE_TIMESTAMP_ARRAY takes a literal step of fixed length.', 'Write INTERVAL 1 HOUR.');
  return sql(
    `generate_series(${instant(call, 0)}, ${instant(call, 1)}, ${interval(call.amount, part)})`,
    arrayOf(TIMESTAMP),
  );
};

const numberArray: Render = (call) =>
  sql(
    `generate_series(${call.args.map((_, index) => `CAST(${whole(call, index)} AS BIGINT)`).join(', ')})`,
    arrayOf(INT64),
  );

const distinctly = (call: RenderedCall): string => (call.call.distinct ? 'DISTINCT ' : '');

const sum: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const total = `sum(${distinctly(call)}${value.text})${call.over}`;
  return value.type.kind === 'INT64'
    ? sql(`CAST(${total} AS BIGINT)`, INT64)
    : sql(ranged(total, value.type), value.type);
};

const average: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  withoutBig(call);
  const over = (name: string) => `${name}(${distinctly(call)}${value.text})${call.over}`;
  return mean(over('sum'), over('count'), value.type) ?? sql(over('avg'), isNumber(value.type) ? FLOAT64 : UNKNOWN);
};

const count: Render = (call) => {
  if (call.call.star) return sql(`count(*)${call.over}`, INT64);
  return sql(`count(${distinctly(call)}${arg(call, 0).text})${call.over}`, INT64);
};

const extremeOf =
  (name: 'min' | 'max'): Render =>
  (call) => {
    const { text: value, type } = arg(call, 0);
    if (isNested(type)) return call.refuse(`A value of type ${type.kind} has no order.`);
    return sql(`${name}(${value})${call.over}`, type);
  };

/** In floating point, as GoogleSQL has it also for NUMERIC. */
const deviation =
  (name: 'stddev_samp' | 'stddev_pop' | 'var_samp' | 'var_pop'): Render =>
  (call) => {
    const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
    return sql(`${name}(${distinctly(call)}CAST(${value.text} AS DOUBLE))${call.over}`, FLOAT64);
  };

const percentile =
  (name: 'quantile_cont' | 'quantile_disc'): Render =>
  (call) => {
    const share = arg(call, 1).literal;
    const isShare =
      (share?.kind === 'float' || share?.kind === 'int') && Number(share.value) >= 0 && Number(share.value) <= 1;
    if (!isShare) return call.refuse(`${call.call.name} takes its share as a literal from 0 to 1.`);
    if (call.call.over?.base || (call.call.over?.orderBy.length ?? 0) > 0 || call.call.over?.frame)
      return call.refuse(`The window of ${call.call.name} has no order and no frame.`, 'Write OVER (PARTITION BY …).');
    if (name === 'quantile_disc') {
      if (isNested(arg(call, 0).type)) return call.refuse('An ARRAY or STRUCT has no order.');
      return sql(`${name}(${arg(call, 0).text}, ${share.value})${call.over}`, arg(call, 0).type);
    }
    const value = expectKind(call, 0, ['INT64', 'FLOAT64'], 'Write CAST(value AS FLOAT64).');
    return sql(`${name}(CAST(${value.text} AS DOUBLE), ${share.value})${call.over}`, FLOAT64);
  };

/** The value, NULL included, at the largest or smallest `by`; of equals the largest or smallest value, so that it never depends on the order of rows. */
const valueBy =
  (name: 'arg_max_null' | 'arg_min_null'): Render =>
  (call) => {
    const [value, by] = [arg(call, 0), arg(call, 1)];
    return sql(
      `${name}(${value.text}, row(${by.text}, ${value.text})) FILTER (WHERE ${by.text} IS NOT NULL)${call.over}`,
      value.type,
    );
  };

/** Any value will do; the smallest is the same at every run. */
const anyValue: Render = (call) => {
  const { having } = call;
  if (having === null) return extremeOf('min')(call);
  const name = call.call.having?.extreme === 'MIN' ? 'arg_min_null' : 'arg_max_null';
  return valueBy(name)({ ...call, args: [arg(call, 0), having] });
};

/** Over pairs of which neither is NULL, in floating point. */
const paired =
  (name: 'corr' | 'covar_samp' | 'covar_pop'): Render =>
  (call) => {
    const [one, other] = [0, 1].map(
      (index) => `CAST(${expectKind(call, index, ['INT64', 'FLOAT64', 'NUMERIC']).text} AS DOUBLE)`,
    );
    const value = `${name}(${one}, ${other})${call.over}`;
    // Of one pair alone DuckDB says that it is no number.
    return sql(
      name === 'corr' ? `(CASE WHEN regr_count(${one}, ${other})${call.over} > 1 THEN ${value} END)` : value,
      FLOAT64,
    );
  };

const joined: Render = (call) => {
  const separator = call.args.length > 1 ? text(call, 1) : "','";
  if (call.limit !== null) {
    const value = text(call, 0);
    const list = `array_agg(${distinctly(call)}${value}${call.orderBy}) FILTER (WHERE ${value} IS NOT NULL)${call.over}`;
    return sql(`array_to_string((${list})[1:${call.limit}], ${separator})`, STRING);
  }
  return sql(`string_agg(${distinctly(call)}${text(call, 0)}, ${separator}${call.orderBy})${call.over}`, STRING);
};

const collected: Render = (call) => {
  const value = arg(call, 0);
  const filter = call.call.nulls === 'IGNORE' ? ` FILTER (WHERE ${value.text} IS NOT NULL)` : '';
  const list = `array_agg(${distinctly(call)}${value.text}${call.orderBy})${filter}${call.over}`;
  return sql(call.limit === null ? list : `(${list})[1:${call.limit}]`, arrayOf(value.type));
};

const windowCount =
  (name: string, type: SqlType): Render =>
  (call) =>
    sql(`${name}(${call.args.map((value) => value.text).join(', ')})${call.over}`, type);

const neighbour =
  (name: string): Render =>
  (call) => {
    const treatment = call.call.nulls === 'IGNORE' ? ' IGNORE NULLS' : '';
    const values = call.args.length === 3 ? common(call, [arg(call, 0), arg(call, 2)]) : null;
    const [first, last] = values?.texts ?? [arg(call, 0).text];
    const rest = call.args.length > 1 ? [arg(call, 1).text] : [];
    const list = [first, ...rest, ...(last === undefined ? [] : [last])].join(', ');
    return sql(`${name}(${list}${treatment})${call.over}`, values?.type ?? arg(call, 0).type);
  };

const absolute: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  return sql(`abs(${value.text})`, value.type);
};

const signOf: Render = (call) => {
  const value = expectKind(call, 0, ['INT64', 'FLOAT64', 'NUMERIC']);
  const sign = `CAST(sign(${value.text}) AS BIGINT)`;
  if (value.type.kind === 'NUMERIC') return sql(`CAST(${sign} AS DECIMAL(38, 0))`, numeric(0));
  return value.type.kind === 'FLOAT64' ? sql(`CAST(${sign} AS DOUBLE)`, FLOAT64) : sql(sign, INT64);
};

const chosen: Render = (call) => {
  const { texts, type } = common(call, [arg(call, 1), arg(call, 2)]);
  return sql(`(CASE WHEN ${condition(call, 0)} THEN ${texts[0]} ELSE ${texts[1]} END)`, type);
};

const firstNotNull: Render = (call) => {
  const { texts, type } = common(call, call.args);
  return sql(`coalesce(${texts.join(', ')})`, type);
};

const nullIf: Render = (call) => {
  const { texts, type } = common(call, call.args);
  return sql(`nullif(${texts.join(', ')})`, type);
};

export const RENDER: { readonly [name in PortableFunction]: Render } = {
  IF: chosen,
  IFNULL: firstNotNull,
  COALESCE: firstNotNull,
  NULLIF: nullIf,
  LEAST: extreme('least'),
  GREATEST: extreme('greatest'),

  SAFE_DIVIDE: (call) => withoutBig(call) && divide(arg(call, 0), arg(call, 1), 'null'),
  DIV: (call) =>
    withoutBig(call) &&
    integerQuotient(expectKind(call, 0, ['INT64', 'NUMERIC']), expectKind(call, 1, ['INT64', 'NUMERIC'])),
  MOD: (call) =>
    withoutBig(call) && remainder(expectKind(call, 0, ['INT64', 'NUMERIC']), expectKind(call, 1, ['INT64', 'NUMERIC'])),
  ABS: absolute,
  SIGN: signOf,
  ROUND: rounded,
  TRUNC: truncated,
  CEIL: toWhole('ceil'),
  CEILING: toWhole('ceil'),
  FLOOR: toWhole('floor'),
  POW: floating('pow'),
  POWER: floating('pow'),
  SQRT: floating('sqrt'),
  EXP: floating('exp'),
  LN: floating('ln'),
  LOG: logarithm,
  LOG10: floating('log10'),
  SAFE_ADD: safely((left, right) => add(left, right, '+')),
  SAFE_SUBTRACT: safely((left, right) => add(left, right, '-')),
  SAFE_MULTIPLY: safely(multiply),
  SAFE_NEGATE: safely((value) => ({ ...value, text: `(-${value.text})` })),
  IEEE_DIVIDE: ieeeDivide,
  IS_NAN: (call) => sql(`isnan(${coerced(expectKind(call, 0, ['FLOAT64', 'INT64']), FLOAT64)})`, BOOL),
  IS_INF: (call) => sql(`isinf(${coerced(expectKind(call, 0, ['FLOAT64', 'INT64']), FLOAT64)})`, BOOL),

  FORMAT: (call) => {
    const format = arg(call, 0).literal;
    if (format?.kind !== 'string') return call.refuse('FORMAT takes its format as a literal.');
    const found = renderFormat(format.value, call.args.slice(1), (value) =>
      renderCast(value, { name: 'STRING', precision: null, scale: null }, false),
    );
    return typeof found === 'string' ? sql(found, STRING) : call.refuse(found.refused, found.hint);
  },

  LOWER: (call) => sql(lower(text(call, 0)), STRING),
  UPPER: (call) => sql(upper(text(call, 0)), STRING),
  INITCAP: (call) => {
    const delimiters = call.args[1]?.literal ?? { kind: 'string', value: WORD_DELIMITERS };
    const isGiven = call.args.length < 2 || call.args[1]?.literal !== undefined;
    if (!isGiven || /\p{L}/u.test(delimiters.value))
      return call.refuse('INITCAP takes its delimiters as a literal without letters.');
    return sql(capitalized(text(call, 0), delimiters.value), STRING);
  },
  TRANSLATE: translated,
  NORMALIZE: same('nfc_normalize', STRING, text),
  UNICODE: (call) =>
    sql(`CASE WHEN ${text(call, 0)} = '' THEN 0 ELSE CAST(unicode(${text(call, 0)}) AS BIGINT) END`, INT64),
  CHR: (call) => {
    const code = whole(call, 0);
    const isLetter = `${code} BETWEEN 1 AND 55295 OR ${code} BETWEEN 57344 AND 1114111`;
    return sql(
      `(CASE WHEN ${isLetter} THEN chr(CAST(${code} AS INTEGER)) WHEN ${code} = 0 THEN '' WHEN ${code} IS NOT NULL THEN error('CHR takes a code point') END)`,
      STRING,
    );
  },
  STRING: stringOf,
  TRIM: trimmed('trim'),
  LTRIM: trimmed('ltrim'),
  RTRIM: trimmed('rtrim'),
  LENGTH: same('length', INT64, text),
  CHAR_LENGTH: same('length', INT64, text),
  BYTE_LENGTH: same('strlen', INT64, text),
  LEFT: counted('left'),
  RIGHT: counted('right'),
  SUBSTR: substring,
  SUBSTRING: substring,
  CONCAT: concatenation,
  REPLACE: same('replace', STRING, text, text, text),
  STRPOS: same('strpos', INT64, text, text),
  INSTR: same('strpos', INT64, text, text),
  REPEAT: counted('repeat'),
  REVERSE: (call) => sql(reversed(text(call, 0)), STRING),
  LPAD: padded('lpad'),
  RPAD: padded('rpad'),
  STARTS_WITH: same('starts_with', BOOL, text, text),
  ENDS_WITH: same('ends_with', BOOL, text, text),
  CONTAINS_SUBSTR: containsIgnoringCase,
  REGEXP_CONTAINS: same('regexp_matches', BOOL, text, text),
  REGEXP_EXTRACT: regexpExtract,
  REGEXP_SUBSTR: regexpExtract,
  REGEXP_EXTRACT_ALL: regexpExtractAll,
  REGEXP_REPLACE: (call) => sql(`regexp_replace(${text(call, 0)}, ${text(call, 1)}, ${text(call, 2)}, 'g')`, STRING),
  SPLIT: (call) =>
    sql(`string_split(${text(call, 0)}, ${call.args.length > 1 ? text(call, 1) : "','"})`, arrayOf(STRING)),
  JSON_VALUE: jsonValue,
  JSON_EXTRACT_SCALAR: jsonValue,
  JSON_VALUE_ARRAY: jsonValues,
  JSON_EXTRACT_STRING_ARRAY: jsonValues,
  TO_HEX: (call) => sql(`lower(hex(${expectKind(call, 0, ['BYTES'], 'Write TO_HEX(MD5(text)).').text}))`, STRING),
  TO_BASE64: (call) => sql(`to_base64(${expectKind(call, 0, ['BYTES'], 'Write TO_BASE64(MD5(text)).').text})`, STRING),
  MD5: digest('md5'),
  SHA1: digest('sha1'),
  SHA256: digest('sha256'),

  DATE: dateOf,
  DATE_ADD: dateShift('+'),
  DATE_SUB: dateShift('-'),
  DATE_DIFF: (call) => sql(dateDifference(day(call, 0), day(call, 1), partOf(call)), INT64),
  DATE_TRUNC: (call) => {
    const { type } = arg(call, 0);
    if (type.kind === 'TIMESTAMP') return timestampTrunc(call);
    return type.kind === 'DATETIME' ? datetimeTrunc(call) : sql(truncateDate(day(call, 0), partOf(call)), DATE);
  },
  LAST_DAY: lastDayOf,
  FORMAT_DATE: formatted(day),
  PARSE_DATE: parsedBy((parsed, value) => parsed.date(value), DATE),
  DATETIME: datetimeOf,
  DATETIME_ADD: datetimeShift('+'),
  DATETIME_SUB: datetimeShift('-'),
  DATETIME_DIFF: (call) => sql(dateDifference(civilOf(call, 0), civilOf(call, 1), partOf(call)), INT64),
  DATETIME_TRUNC: datetimeTrunc,
  FORMAT_DATETIME: formatted(civilOf),
  PARSE_DATETIME: parsedBy((parsed, value) => parsed.civil(value), DATETIME),
  UNIX_DATE: (call) => sql(`date_diff('day', DATE '1970-01-01', ${day(call, 0)})`, INT64),
  DATE_FROM_UNIX_DATE: (call) => sql(`(DATE '1970-01-01' + CAST(${whole(call, 0)} AS INTEGER))`, DATE),
  TIMESTAMP: timestampOf,
  TIMESTAMP_ADD: timestampShift('+'),
  TIMESTAMP_SUB: timestampShift('-'),
  TIMESTAMP_DIFF: timestampDiff,
  TIMESTAMP_TRUNC: timestampTrunc,
  FORMAT_TIMESTAMP: formatted((call, index) =>
    call.args.length > 2 ? civil(call, instant(call, index), 2) : `(${instant(call, index)} AT TIME ZONE 'UTC')`,
  ),
  PARSE_TIMESTAMP: parsedBy((parsed, value) => parsed.civil(value), TIMESTAMP),
  UNIX_SECONDS: (call) => sql(floorDivided(`epoch_us(${instant(call, 0)})`, 1_000_000), INT64),
  UNIX_MILLIS: (call) => sql(floorDivided(`epoch_us(${instant(call, 0)})`, 1_000), INT64),
  UNIX_MICROS: (call) => sql(`epoch_us(${instant(call, 0)})`, INT64),
  TIMESTAMP_SECONDS: (call) => sql(instantOf(`CAST(${whole(call, 0)} AS BIGINT) * 1000000`), TIMESTAMP),
  TIMESTAMP_MILLIS: (call) => sql(instantOf(`CAST(${whole(call, 0)} AS BIGINT) * 1000`), TIMESTAMP),
  TIMESTAMP_MICROS: (call) => sql(instantOf(whole(call, 0)), TIMESTAMP),

  GENERATE_DATE_ARRAY: dateArray,
  GENERATE_TIMESTAMP_ARRAY: instantArray,
  GENERATE_ARRAY: numberArray,
  ARRAY_LENGTH: (call) => sql(`len(${expectKind(call, 0, ['ARRAY']).text})`, INT64),
  ARRAY_TO_STRING: (call) => {
    const { text: array, type } = expectKind(call, 0, ['ARRAY']);
    if (type.kind === 'ARRAY' && type.element.kind !== 'STRING')
      return call.refuse(`ARRAY_TO_STRING joins texts, not ${type.element.kind}.`);
    if (call.args.length < 3) return sql(`array_to_string(${array}, ${text(call, 1)})`, STRING);
    return sql(
      `array_to_string(list_transform(${array}, lambda e: coalesce(e, ${text(call, 2)})), ${text(call, 1)})`,
      STRING,
    );
  },
  ARRAY_REVERSE: (call) => {
    const { text: array, type } = expectKind(call, 0, ['ARRAY']);
    return sql(`list_reverse(${array})`, type);
  },
  ARRAY_CONCAT: (call) => {
    for (const index of call.args.keys()) expectKind(call, index, ['ARRAY']);
    const { texts, type } = common(call, call.args);
    const isNull = texts.map((array) => `${array} IS NULL`).join(' OR ');
    const joinedArrays = texts.reduce((left, right) => `list_concat(${left}, ${right})`);
    return sql(`(CASE WHEN ${isNull} THEN NULL ELSE ${joinedArrays} END)`, type);
  },

  COUNT: count,
  COUNTIF: (call) => sql(`count(CASE WHEN ${condition(call, 0)} THEN 1 END)${call.over}`, INT64),
  SUM: sum,
  AVG: average,
  MIN: extremeOf('min'),
  MAX: extremeOf('max'),
  ANY_VALUE: anyValue,
  LOGICAL_AND: (call) => sql(`bool_and(${condition(call, 0)})${call.over}`, BOOL),
  LOGICAL_OR: (call) => sql(`bool_or(${condition(call, 0)})${call.over}`, BOOL),
  MAX_BY: valueBy('arg_max_null'),
  MIN_BY: valueBy('arg_min_null'),
  STDDEV: deviation('stddev_samp'),
  STDDEV_SAMP: deviation('stddev_samp'),
  STDDEV_POP: deviation('stddev_pop'),
  VARIANCE: deviation('var_samp'),
  VAR_SAMP: deviation('var_samp'),
  VAR_POP: deviation('var_pop'),
  CORR: paired('corr'),
  COVAR_SAMP: paired('covar_samp'),
  COVAR_POP: paired('covar_pop'),
  GROUPING: (call) => sql(`CAST(grouping(${arg(call, 0).text}) AS BIGINT)`, INT64),
  STRING_AGG: joined,
  ARRAY_AGG: collected,

  ROW_NUMBER: windowCount('row_number', INT64),
  RANK: windowCount('rank', INT64),
  DENSE_RANK: windowCount('dense_rank', INT64),
  PERCENT_RANK: windowCount('percent_rank', FLOAT64),
  CUME_DIST: windowCount('cume_dist', FLOAT64),
  NTILE: windowCount('ntile', INT64),
  LAG: neighbour('lag'),
  LEAD: neighbour('lead'),
  FIRST_VALUE: neighbour('first_value'),
  LAST_VALUE: neighbour('last_value'),
  NTH_VALUE: neighbour('nth_value'),
  PERCENTILE_CONT: percentile('quantile_cont'),
  PERCENTILE_DISC: percentile('quantile_disc'),
};

/** Rounded down, also before 1970, where `//` would cut toward zero. */
function floorDivided(value: string, by: number): string {
  return `((${value} - ((${value} % ${by}) + ${by}) % ${by}) // ${by})`;
}

function instantOf(microseconds: string): string {
  return `CAST(make_timestamp(CAST(${microseconds} AS BIGINT)) AS TIMESTAMPTZ)`;
}
