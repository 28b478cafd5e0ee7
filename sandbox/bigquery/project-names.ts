/** Tables with the name of their project in a script -> edits that take it away. */
import type { Edit, ScriptToken } from './scan-sql.ts';

/** `project.dataset.table` in any quotes becomes `dataset.table`; the translator knows no projects. */
export function projectEdits(tokens: readonly ScriptToken[], project: string): readonly Edit[] {
  return tokens.flatMap((token, index) => {
    if (token.kind === 'quoted' && token.value.startsWith(`${project}.`) && token.value.split('.').length === 3)
      return [{ at: token.at, end: token.end, text: `\`${token.value.slice(project.length + 1)}\`` }];
    const next = tokens[index + 1];
    const after = tokens[index + 2];
    const isStart = (token.kind === 'quoted' || token.kind === 'word') && token.text.replaceAll('`', '') === project;
    const isPath = next?.value === '.' && next.at === token.end && tokens[index + 3]?.value === '.';
    return isStart && isPath && after ? [{ at: token.at, end: after.at, text: '' }] : [];
  });
}
