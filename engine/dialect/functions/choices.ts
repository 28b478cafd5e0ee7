/** IF, COALESCE and their like -> DuckDB text. */
import { sql } from '../types.ts';
import { arg, common, condition, type Functions, type Render } from './call.ts';

/** LEAST and GREATEST are NULL where any value is; DuckDB's pass over NULL. */
const extreme =
  (name: 'least' | 'greatest'): Render =>
  (call) => {
    const { texts, type } = common(call, call.args);
    const isNull = texts.map((value) => `${value} IS NULL`).join(' OR ');
    return sql(`(CASE WHEN ${isNull} THEN NULL ELSE ${name}(${texts.join(', ')}) END)`, type);
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

export const CHOICES = {
  IF: chosen,
  IFNULL: firstNotNull,
  COALESCE: firstNotNull,
  NULLIF: nullIf,
  LEAST: extreme('least'),
  GREATEST: extreme('greatest'),
} satisfies Functions;
