/** A query -> the columns of a table that it may read, for the bytes that are billed. */
import { type FromItem, type Query, type QueryBody, walkQuery } from '../../core/google-sql/ast.ts';
import type { Field } from './table-schema.ts';

/** Those whose name stands anywhere in the query; all, where a star stands. Never too few. */
export function readColumns(query: Query, fields: readonly Field[]): readonly Field[] {
  const names = new Set<string>();
  let hasStar = false;
  const inBody = (body: QueryBody): void => {
    if (body.kind === 'set') for (const input of body.inputs) inBody(input);
    if (body.kind !== 'select') return;
    if (body.items.some((item) => item.kind === 'star')) hasStar = true;
    addUsing(body.from, names);
  };
  walkQuery(query, {
    query: (inner) => {
      inBody(inner.body);
      return true;
    },
    expression: (expression) => {
      if (expression.kind === 'column') for (const part of expression.path) names.add(part.toLowerCase());
      return true;
    },
  });
  return hasStar ? fields : fields.filter((field) => names.has(field.name.toLowerCase()));
}

function addUsing(from: FromItem | null, names: Set<string>): void {
  if (from?.kind !== 'join') return;
  for (const name of from.using) names.add(name.toLowerCase());
  addUsing(from.left, names);
  addUsing(from.right, names);
}
