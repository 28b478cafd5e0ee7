/** The text of a query -> datasets that it names, to tell where it runs before it is run. */
import { scanSql } from './scan-sql.ts';

/** `dataset.table` and `project.dataset.table` in any quotes; also what only looks like one. */
export function tablesInText(
  text: string,
  project: string,
): readonly { readonly project: string; readonly dataset: string }[] {
  const tokens = scanSql(text);
  return tokens.flatMap((token, index) => {
    if (token.kind !== 'quoted' && token.kind !== 'word') return [];
    const parts = token.kind === 'quoted' ? token.value.split('.') : [token.text];
    for (let at = index + 1; tokens[at]?.value === '.' && tokens[at + 1]; at += 2) {
      const next = tokens[at + 1];
      parts.push(...(next?.kind === 'quoted' ? next.value.split('.') : [next?.text ?? '']));
    }
    const [first = '', second = ''] = parts;
    if (parts.length === 2) return [{ project, dataset: first }];
    return parts.length === 3 ? [{ project: first, dataset: second }] : [];
  });
}
