/** Statements of the corpus whose rows bqemulator 1.4.0 gets wrong, by what it does with them. */

export interface Difference {
  /** What it does instead. In each case ZetaSQL, Google's own engine, gives what we give. */
  readonly reason: string;
  readonly cases: readonly string[];
}

export const DIFFERENCES: readonly Difference[] = [
  {
    reason: 'DATE_TRUNC of a DATE gives a DATETIME',
    cases: [
      '01 month of a day',
      'GROUP BY an expression and its alias',
      'truncation of days',
      'customers by the week of their sign-up',
      'a cohort table',
      'a month that is called as its day',
    ],
  },
  {
    reason: 'ISOWEEK, WEEK(day) and QUARTER reach DuckDB as they stand, which does not know them',
    cases: [
      '03 week that begins on Sunday, Monday, Thursday',
      'every part of a day',
      'truncation in a time zone',
      'last days',
    ],
  },
  { reason: 'weeks of instants begin on Monday', cases: ['truncation of instants'] },
  {
    reason: 'TIMESTAMP_DIFF counts boundaries, not whole units',
    cases: ['06 whole hours between instants', 'differences of instants'],
  },
  { reason: 'MILLISECOND and MICROSECOND of an instant hold its seconds too', cases: ['every part of an instant'] },
  {
    reason: 'texts become numbers and instants as DuckDB reads them',
    cases: [
      'a day with blanks around it is no day',
      '09 text to whole number, where it is one',
      'instants from texts',
      'instants read by a format',
    ],
  },
  {
    reason: 'CAST AS NUMERIC is a cast to DECIMAL(18,3)',
    cases: [
      '10 text to decimal, where it is one',
      'casts from NUMERIC',
      'FLOAT64 as the NUMERIC nearest to its exact value',
      'FLOAT64 too large for NUMERIC',
    ],
  },
  {
    reason:
      'it answers 500 internalError where a row holds an infinite or very large day, or a computed instant of the last day of 9999',
    cases: ['casts from STRING that fail to NULL', 'casts from odd texts', 'seconds since 1970 and back'],
  },
  { reason: 'CAST of a FLOAT64 to INT64 rounds halves to even', cases: ['casts from FLOAT64'] },
  { reason: 'a NUMERIC as text keeps its zeros', cases: ['numbers as texts'] },
  {
    reason: 'NUMERIC is divided, multiplied and rounded in FLOAT64, or keeps more than nine digits behind the point',
    cases: [
      'quotients',
      'quotients of extremes',
      'NUMERIC scale of a product is cut half away from zero',
      'SAFE arithmetic',
      'half away from zero',
      'FLOAT64 rounded by its exact value',
    ],
  },
  {
    reason: 'types of mixed arithmetic are DuckDB’s: literals with a point are decimals, ROUND keeps an INT64',
    cases: [
      'quotients and remainders of negatives',
      'rounding INT64 gives FLOAT64',
      'literals with a point are FLOAT64, also next to NUMERIC',
      'a quotient or its default',
      'the extremes of numbers of unlike digits',
      'an array of numbers of unlike digits',
      'products with literals keep their digits',
      'weighted means',
      'sums of branches',
      'remainders and quotients of NUMERIC',
      'NUMERIC cut to whole numbers',
    ],
  },
  {
    reason: 'JSON_VALUE fails on a text that is no JSON',
    cases: ['JSON_VALUE without a path', '27 a value of a JSON text', 'JSON_VALUE by deeper paths'],
  },
  {
    reason: '* of a join by USING, and of UNPIVOT, has its columns in another order',
    cases: ['right join by USING, star', 'full join by USING, star', 'UNPIVOT, all columns'],
  },
  { reason: 'the backslash of LIKE escapes nothing', cases: ['LIKE', 'LIKE over lines'] },
  {
    reason: 'SUBSTR from zero, or from before the text, begins elsewhere',
    cases: ['SUBSTR from the end, from zero, past the end'],
  },
  { reason: 'REGEXP_EXTRACT gives NULL for an empty match', cases: ['REGEXP_EXTRACT with and without a group'] },
  {
    reason: 'a statement that GoogleSQL knows does not parse, or reaches DuckDB broken',
    cases: [
      "a field of the latest row's struct",
      'ARRAY_AGG with and without NULL',
      'ARRAY_AGG with a limit',
      'COUNTIF and AVG over a window',
    ],
  },
  {
    reason: 'what has to fail gives a row',
    cases: [
      'a power that is no number',
      'a sum past the range of INT64',
      'DIV by zero',
      'MOD by zero',
      'a place outside of an array',
      'a place before an array',
      'a negative length',
      'REPEAT a negative number of times',
      'LPAD to a negative length',
      'SUBSTR of a negative length',
      'EXP past the range of FLOAT64',
      'zero to a negative power',
    ],
  },
  {
    reason: 'LIMIT inside of STRING_AGG counts NULL too',
    cases: ['STRING_AGG with a limit'],
  },
  {
    reason:
      'capitals, small letters and turned texts are DuckDB’s: a ß in a word is SS, a sigma has one shape, an emoji keeps its colour',
    cases: ['INITCAP', 'small letters of İ and of a sigma that ends a word', 'REVERSE of an emoji with a skin colour'],
  },
  {
    reason: 'CHR takes no INT64',
    cases: ['code points, letters for letters, normal form, base 64'],
  },
  {
    reason: 'arrays of NULL are empty, and ARRAY_TO_STRING joins letters',
    cases: [
      'SPLIT by a delimiter that is NULL, empty or many letters',
      'texts joined with something for NULL',
      'REGEXP_EXTRACT_ALL',
      'arrays turned, joined, written with a word for NULL',
    ],
  },
  {
    reason: 'a text that is no JSON is an error, and an array that is not there is empty',
    cases: ['an array of a JSON text', 'arrays of JSON with numbers, null and other arrays'],
  },
  {
    reason: 'FORMAT is DuckDB’s printf',
    cases: [
      'zero has no sign in FORMAT, what rounds to it has',
      'FORMAT of whole numbers',
      'FORMAT of FLOAT64 and NUMERIC',
      'FORMAT of texts, and of NULL',
    ],
  },
  {
    reason: 'instants, civil time and FLOAT64 become text as DuckDB writes them',
    cases: [
      'the text of an instant and of civil time',
      'the text of a FLOAT64',
      'the text of FLOAT64 literals',
      'DATETIME of literals, numbers and texts',
    ],
  },
  {
    reason: 'ISOWEEK and WEEK(day) of civil time reach DuckDB as they stand',
    cases: ['DATETIME_DIFF counts boundaries of every part', 'DATETIME truncated and shifted'],
  },
  {
    reason: 'an array of instants holds civil time, and TIMESTAMP with a zone is not read',
    cases: [
      'an hour that comes twice as clocks go back',
      'an hour that does not come as clocks go forward',
      'half an hour that comes twice, on Lord Howe Island',
      'a midnight that comes twice, in Havana',
      'a day begins in a zone',
    ],
  },
  {
    reason: 'codes of formats reach DuckDB as they stand',
    cases: [
      'years of less than four digits are written as they are',
      'a format without any part of the value',
      'more codes of FORMAT_DATE',
      'more codes of FORMAT_TIMESTAMP',
      'fractions, noon, midnight and zones are read',
    ],
  },
  {
    reason: 'a recursion computes in 32 bits',
    cases: ['numbers by recursion'],
  },
  {
    reason: 'fields of structs in UNNEST are no columns, and structs are compared as one value',
    cases: ['structs of a subquery as rows', 'lists in parentheses compared'],
  },
  {
    reason: 'a name of SELECT stands behind the column of that name',
    cases: ['a name of SELECT before the column of GROUP BY', 'a name of SELECT before the column of QUALIFY'],
  },
  {
    reason: 'CORR of one pair is NaN',
    cases: ['correlation and covariance'],
  },
  {
    reason: 'BIGNUMERIC and NUMERIC have the digits of DuckDB’s DECIMAL',
    cases: ['BIGNUMERIC added, multiplied and rounded', 'NUMERIC of texts with an exponent'],
  },
  { reason: 'NULL divided by zero is an error', cases: ['NULL divided by zero is NULL'] },
];
