/** Ranks, neighbours and percentiles -> DuckDB text. */
import { FLOAT64, INT64, isNested, type SqlType, sql } from '../types.ts';
import { arg, common, expectKind, type Functions, type Render } from './call.ts';

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

export const WINDOWS = {
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
} satisfies Functions;
