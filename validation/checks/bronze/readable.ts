/** Files -> whether each can be read to its end. One that cannot leaves the gate without an answer. Pure. */

import type { BronzeTableFacts } from '../../bronze-facts.ts';
import type { MeasuredResult } from '../../measured-result.ts';
import { fromFindings } from './finding.ts';

export function readableChecks(facts: BronzeTableFacts): readonly MeasuredResult[] {
  return [
    fromFindings(
      facts,
      {
        id: 'readable',
        severity: 'fail',
        description: 'Every data file opens as Parquet and decodes to its last row.',
        expected: 'all files',
        next: 'Deliver these files again, or take them out of their partitions and manifests; then rerun.',
      },
      facts.files
        .filter((file) => file.unreadable !== null)
        .map((file) => ({ where: file.key, what: file.unreadable ?? '' })),
      facts.files.length,
      { undecided: true },
    ),
    fromFindings(
      facts,
      {
        id: 'unchanged_since_pin',
        severity: 'fail',
        description: 'No file changed between the start of the run and its validation.',
        expected: 'the pinned sizes',
        next: 'Clear the run from its first task, so that it pins the new files.',
      },
      facts.files
        .filter((file) => file.sizeBytes !== null && file.sizeBytes !== file.pinnedBytes)
        .map((file) => ({
          where: file.key,
          what: `${file.sizeBytes} bytes, pinned at ${file.pinnedBytes}`,
        })),
      facts.files.length,
    ),
  ];
}
