/** What only the build could count -> one warning each. Pure. */
import type { StagedTable } from '../../core/types.ts';
import { counted } from '../figures.ts';
import { compareText, type MeasuredResult, measured } from '../measured-result.ts';
import { placesOf } from './reason-places.ts';

const KEY_COLLISION = 'key_collision';

/** `cast_<column>`, `missing_column_<column>`, `undeclared_columns`, `partition_disagrees`, and `key_collision` from the reasons. */
export function buildCountChecks(staged: StagedTable, owner: string): readonly MeasuredResult[] {
  const counts: Record<string, number> = { ...staged.buildCounts };
  const collisions = staged.account.byReason[KEY_COLLISION] ?? 0;
  if (collisions > 0) counts[KEY_COLLISION] = collisions;
  return Object.entries(counts)
    .sort(([a], [b]) => compareText(a, b))
    .map(([checkId, found]) =>
      measured(
        {
          checkId,
          table: staged.table,
          owner,
          severity: 'warn',
          description: meaningOf(checkId),
          expected: noun(checkId, 0),
        },
        {
          state: found > 0 ? 'WARN' : 'PASS',
          observed: noun(checkId, found),
          failedRows: isRows(checkId) ? found : null,
          totalRows: isRows(checkId) ? staged.account.input : null,
          note: checkId === KEY_COLLISION && found > 0 ? `Quarantined${placesOf(KEY_COLLISION, staged)}.` : '',
        },
      ),
    );
}

function meaningOf(checkId: string): string {
  const cast = /^cast_(.+)$/.exec(checkId);
  if (cast) return `Every text in \`${cast[1]}\` casts to its type; where it does not, the value became null.`;
  const missing = /^missing_column_(.+)$/.exec(checkId);
  if (missing) return `Bronze has the column \`${missing[1]}\`; where it has not, the value is null.`;
  if (checkId === 'undeclared_columns') return 'Bronze has no column that the spec does not declare.';
  if (checkId === 'partition_disagrees') return 'The partition column inside the file agrees with the folder.';
  if (checkId === KEY_COLLISION) return 'No known key comes with another identity; such rows are quarantined.';
  return 'Counted by the build.';
}

function isRows(checkId: string): boolean {
  return checkId !== 'undeclared_columns';
}

function noun(checkId: string, found: number): string {
  return counted(found, isRows(checkId) ? 'row' : 'column');
}
