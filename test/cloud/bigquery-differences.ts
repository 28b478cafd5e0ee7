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
    cases: ['09 text to whole number, where it is one', 'instants from texts', 'instants read by a format'],
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
    cases: ['27 a value of a JSON text', 'JSON_VALUE by deeper paths'],
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
];
