/** Calls on text and bytes: letters, patterns, JSON, digests -> DuckDB text. */
import { literal } from '../../sql-text.ts';
import { civilText, renderCast } from '../casts.ts';
import { renderFormat } from '../format.ts';
import { capitalized, lower, reversed, upper, WORD_DELIMITERS } from '../letters.ts';
import { leavesGroupOpen, regexpGroups } from '../regexp.ts';
import { arrayOf, BOOL, BYTES, INT64, type Sql, STRING, sql } from '../types.ts';
import { arg, expectKind, type Functions, instant, type Render, type RenderedCall, same, text, whole } from './call.ts';
import { civil } from './dates.ts';

/** DuckDB's `trim` takes off blanks only. @source GoogleSQL, "String functions", TRIM: all Unicode whitespace */
const WHITESPACE = literal(
  '\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000',
);

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

/** NULL where the delimiter is; DuckDB then gives the whole text as one piece. */
const split: Render = (call) => {
  if (call.args.length < 2) return sql(`string_split(${text(call, 0)}, ',')`, arrayOf(STRING));
  const [value, delimiter] = [text(call, 0), text(call, 1)];
  const pieces = `string_split(${value}, ${delimiter})`;
  const isKnown = arg(call, 1).literal?.kind === 'string';
  return sql(isKnown ? pieces : `(CASE WHEN ${delimiter} IS NOT NULL THEN ${pieces} END)`, arrayOf(STRING));
};

const digest =
  (name: 'md5' | 'sha1' | 'sha256'): Render =>
  (call) =>
    sql(`unhex(${name}(${text(call, 0)}))`, BYTES);

/** A path of names and places: `$.tags[0].name`. */
const JSON_PATH = /^\$(\.[A-Za-z_][A-Za-z0-9_]*|\[\d+\])*$/;

const WHOLE_JSON: Sql = { text: "'$'", type: STRING, literal: { kind: 'string', value: '$' } };

/** A text, number or truth value; NULL for anything else, and where the text is no JSON. */
const jsonValue: Render = (call) => {
  const path = call.args[1] ?? WHOLE_JSON;
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
  const path = call.args[1] ?? WHOLE_JSON;
  if (path.literal?.kind !== 'string' || !JSON_PATH.test(path.literal.value))
    return call.refuse(`${call.call.name} takes a plain path as a literal.`, "Write JSON_VALUE_ARRAY(text, '$.name').");
  const json = `(CASE WHEN json_valid(${text(call, 0)}) THEN ${text(call, 0)} END)`;
  const list = `CAST(json_extract(${json}, ${path.text}) AS JSON[])`;
  const plain = `'VARCHAR', 'BOOLEAN', 'BIGINT', 'UBIGINT', 'INTEGER', 'UINTEGER'`;
  const isOther = `len(list_filter(${list}, lambda j: json_type(j) NOT IN (${plain}, 'DOUBLE'))) > 0`;
  const element = `CASE WHEN json_type(j) = 'DOUBLE' THEN error(${literal(FRACTIONS_FAULT)}) ELSE j ->> '$' END`;
  const isArray = `json_type(${json}, ${path.text}) = 'ARRAY'`;
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

export const TEXTS = {
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
  SPLIT: split,
  JSON_VALUE: jsonValue,
  JSON_EXTRACT_SCALAR: jsonValue,
  JSON_VALUE_ARRAY: jsonValues,
  JSON_EXTRACT_STRING_ARRAY: jsonValues,
  TO_HEX: (call) => sql(`lower(hex(${expectKind(call, 0, ['BYTES'], 'Write TO_HEX(MD5(text)).').text}))`, STRING),
  TO_BASE64: (call) => sql(`to_base64(${expectKind(call, 0, ['BYTES'], 'Write TO_BASE64(MD5(text)).').text})`, STRING),
  MD5: digest('md5'),
  SHA1: digest('sha1'),
  SHA256: digest('sha256'),
} satisfies Functions;
