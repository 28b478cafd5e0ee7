/** Text whose letters change case or place -> DuckDB text with GoogleSQL's result: full case mapping, code points, words. */
import { literal } from '../sql-text.ts';

/**
 * Letters whose capital is several letters, or another one than DuckDB's: ß is SS, where DuckDB writes ẞ.
 *
 * @source Unicode 15, SpecialCasing.txt, unconditional mappings; compared with ZetaSQL for every letter (read 2026-11-21)
 */
const SPECIAL_CAPITALS = [
  ...'ßŉǰΐΰևẖẗẘẙẚὐὒὔὖᾲᾳᾴᾶᾷᾼῂῃῄῆῇῌῒΐῖῗῢΰῤῦῧῲῳῴῶῷῼﬀﬁﬂﬃﬄﬅﬆﬓﬔﬕﬖﬗ',
  ...Array.from({ length: 48 }, (_, index) => String.fromCodePoint(0x1f80 + index)),
];

/** One element for each code point; DuckDB's own `reverse` keeps an emoji and its skin colour together. */
const letters = (text: string): string => `string_split(${text}, '')`;

export function upper(text: string): string {
  const from = SPECIAL_CAPITALS.join('');
  const to = SPECIAL_CAPITALS.map((letter) => literal(letter.toUpperCase())).join(', ');
  const capital = `CASE WHEN strpos(${literal(from)}, c) > 0 THEN [${to}][strpos(${literal(from)}, c)] ELSE upper(c) END`;
  const special = `array_to_string(list_transform(${letters(text)}, lambda c: ${capital}), '')`;
  return `(CASE WHEN regexp_matches(${text}, ${literal(`[${from}]`)}) THEN ${special} ELSE upper(${text}) END)`;
}

/** What may stand between a letter and the end of its word, as an accent. @source Unicode 15, section 3.13, Final_Sigma */
const BETWEEN = `[\\p{Mn}\\p{Me}\\p{Cf}\\p{Lm}\\p{Sk}'.:·’]*`;
const FINAL_SIGMA = literal(
  `([\\p{Lu}\\p{Ll}\\p{Lt}]${BETWEEN})Σ(${BETWEEN}(?:[^\\p{Lu}\\p{Ll}\\p{Lt}\\p{Mn}\\p{Me}\\p{Cf}\\p{Lm}\\p{Sk}'.:·’]|$))`,
);

/** A sigma that ends a word has a shape of its own, and İ keeps its dot. */
export function lower(text: string): string {
  const prepared = `regexp_replace(replace(${text}, 'İ', 'i̇'), ${FINAL_SIGMA}, '\\1ς\\2', 'g')`;
  return `(CASE WHEN regexp_matches(${text}, '[İΣ]') THEN lower(${prepared}) ELSE lower(${text}) END)`;
}

export function reversed(text: string): string {
  return `array_to_string(list_reverse(${letters(text)}), '')`;
}

/** @source GoogleSQL, "String functions", INITCAP: default delimiters */
export const WORD_DELIMITERS = ' \t\n\v\f\r[](){}/|\\<>!?@"^#$&~_,.:;*%+-';

/** A word begins with a capital and goes on in small letters, each letter by itself. */
export function capitalized(text: string, delimiters: string): string {
  const set = [...delimiters]
    .map((sign) => (/[A-Za-z0-9]/.test(sign) ? sign : `\\x{${sign.codePointAt(0)?.toString(16)}}`))
    .join('');
  const words = set === '' ? `[${text}]` : `regexp_extract_all(${text}, ${literal(`[${set}]|[^${set}]+`)})`;
  const word = `CASE WHEN left(w, 1) = 'ß' THEN 'ß' ELSE upper(left(w, 1)) END || lower(substr(w, 2))`;
  return `array_to_string(list_transform(${words}, lambda w: ${word}), '')`;
}
