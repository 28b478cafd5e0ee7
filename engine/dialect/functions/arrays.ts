/** Calls that make or change arrays -> DuckDB text. */
import { DATE_PARTS } from '../../../core/google-sql/functions.ts';
import { hasFixedLength, interval } from '../dates.ts';
import { arrayOf, DATE, INT64, STRING, sql, TIMESTAMP } from '../types.ts';
import {
  arg,
  common,
  day,
  expectKind,
  type Functions,
  instant,
  type Render,
  type RenderedCall,
  text,
  whole,
} from './call.ts';
import { intervalPart } from './dates.ts';

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

/** NULL where the array, the separator or the text that stands for NULL is; DuckDB wants the separator as a literal. */
const joined: Render = (call) => {
  const { text: array, type } = expectKind(call, 0, ['ARRAY']);
  if (type.kind === 'ARRAY' && type.element.kind !== 'STRING')
    return call.refuse(`ARRAY_TO_STRING joins texts, not ${type.element.kind}.`);
  if (arg(call, 1).literal?.kind !== 'string') return call.refuse('ARRAY_TO_STRING takes its separator as a literal.');
  if (call.args.length < 3) return sql(`array_to_string(${array}, ${text(call, 1)})`, STRING);
  const forNull = text(call, 2);
  const all = `array_to_string(list_transform(${array}, lambda e: coalesce(e, ${forNull})), ${text(call, 1)})`;
  return sql(`(CASE WHEN ${forNull} IS NOT NULL THEN ${all} END)`, STRING);
};

export const ARRAYS = {
  GENERATE_DATE_ARRAY: dateArray,
  GENERATE_TIMESTAMP_ARRAY: instantArray,
  GENERATE_ARRAY: numberArray,
  ARRAY_LENGTH: (call) => sql(`len(${expectKind(call, 0, ['ARRAY']).text})`, INT64),
  ARRAY_TO_STRING: joined,
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
} satisfies Functions;
