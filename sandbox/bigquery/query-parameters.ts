/** Query parameters -> GoogleSQL literals in the place of `@name` and `?`. */
import { BigQueryError } from './bigquery-error.ts';
import type { QueryParameter } from './job-configuration.ts';
import type { Edit, ScriptToken } from './scan-sql.ts';

/**
 * One edit for each parameter in the text.
 *
 * @throws BigQueryError `invalidQuery` for a parameter that is not given, `invalid` for a value that is none of its type
 */
export function parameterEdits(tokens: readonly ScriptToken[], parameters: readonly QueryParameter[]): readonly Edit[] {
  const positional = parameters.filter((parameter) => !parameter.name);
  let used = 0;
  return tokens.flatMap((token) => {
    if (token.kind !== 'param' && token.kind !== 'positional') return [];
    const parameter =
      token.kind === 'positional'
        ? positional[used++]
        : parameters.find((each) => each.name?.toLowerCase() === token.value.toLowerCase());
    if (!parameter) {
      const what = token.kind === 'param' ? `Query parameter '${token.value}' not found` : 'Query parameter is missing';
      throw new BigQueryError('invalidQuery', what, 'query');
    }
    return [{ at: token.at, end: token.end, text: literalOf(parameter) }];
  });
}

function literalOf({ name, parameterType, parameterValue }: QueryParameter): string {
  const label = name ?? '?';
  if (parameterType.type.toUpperCase() !== 'ARRAY')
    return scalarLiteral(label, parameterType.type, parameterValue?.value ?? null);
  const inner = parameterType.arrayType?.type ?? '';
  const items = parameterValue?.arrayValues ?? [];
  return `[${items.map((item) => scalarLiteral(label, inner, item.value ?? null)).join(', ')}]`;
}

type Value = string | number | boolean | null;

function scalarLiteral(name: string, type: string, value: Value): string {
  const sqlType = type.toUpperCase();
  if (value === null) return `CAST(NULL AS ${sqlType})`;
  const text = String(value);
  const render = LITERALS[sqlType];
  if (!render) throw new BigQueryError('notImplemented', `The sandbox has no parameters of type ${type} (@${name}).`);
  const rendered = render(text);
  if (rendered === null)
    throw new BigQueryError('invalid', `Invalid value for parameter ${name} of type ${type}: ${text}`);
  return rendered;
}

/** Null: the text is no value of the type. */
const LITERALS: { readonly [type: string]: (text: string) => string | null } = {
  STRING: quote,
  INT64: (text) => (/^-?\d{1,19}$/.test(text) ? parenthesized(text) : null),
  INTEGER: (text) => (/^-?\d{1,19}$/.test(text) ? parenthesized(text) : null),
  FLOAT64: (text) => (Number.isFinite(Number(text)) ? `CAST(${quote(text)} AS FLOAT64)` : null),
  NUMERIC: (text) => (/^-?(\d+\.?\d*|\.\d+)$/.test(text) ? `CAST(${quote(text)} AS NUMERIC)` : null),
  BOOL: (text) => (/^(true|false)$/i.test(text) ? text.toUpperCase() : null),
  DATE: (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? `DATE ${quote(text)}` : null),
  TIMESTAMP: (text) => (Number.isNaN(Date.parse(text)) ? null : `TIMESTAMP ${quote(zoned(text))}`),
};

function parenthesized(number: string): string {
  return number.startsWith('-') ? `(${number})` : number;
}

/** A time without zone is UTC, as in GoogleSQL. */
function zoned(text: string): string {
  return /(Z|UTC|[+-]\d{2}(:?\d{2})?)$/i.test(text.trim()) ? text.trim() : `${text.trim()}+00:00`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
