/** Manifests against files, both ways: rows, names, sizes and checksums. Pure. */
import type { BronzeManifest, BronzePartition } from '../../../core/types.ts';
import { type BronzeFileFacts, type BronzeTableFacts, checksumKind } from '../../bronze-facts.ts';
import { count, counted } from '../../figures.ts';
import { type MeasuredResult, measured, notEvaluated } from '../../measured-result.ts';
import { type BronzeCheck, type Finding, fromFindings, headOf } from './finding.ts';

interface ReadPartition {
  readonly partition: BronzePartition;
  readonly manifest: BronzeManifest;
  /** What the manifest lists, by file name. */
  readonly listed: ReadonlyMap<string, BronzeManifest['files'][number]>;
  readonly files: readonly BronzeFileFacts[];
}

export function manifestChecks(facts: BronzeTableFacts): readonly MeasuredResult[] {
  const read = facts.partitions.flatMap((partition) => readPartition(facts, partition));
  return [
    manifestPresent(facts),
    manifestReadable(facts),
    manifestIdentity(facts, read),
    filesPresent(facts, read),
    filesListed(facts, read),
    manifestRows(facts, read),
    manifestSizes(facts, read),
    ...checksums(facts, read),
  ];
}

function readPartition(facts: BronzeTableFacts, partition: BronzePartition): ReadPartition[] {
  if (partition.manifest.state !== 'read') return [];
  const { manifest } = partition.manifest;
  return [
    {
      partition,
      manifest,
      listed: new Map(manifest.files.map((file) => [baseName(file.path), file])),
      files: facts.files.filter((file) => file.partition === partition.partition),
    },
  ];
}

const NO_MANIFEST = 'There is no readable manifest to compare with.';

function manifestPresent(facts: BronzeTableFacts): MeasuredResult {
  const check: BronzeCheck = {
    id: 'manifest_present',
    severity: 'fail',
    description: 'Every partition has its `_MANIFEST.json`.',
    expected: 'one a partition',
    next: 'Write each manifest after its data, then rerun.',
  };
  const missing = facts.partitions.filter((partition) => partition.manifest.state === 'missing');
  if (facts.spec.source.manifest === 'none' && missing.length > 0) {
    return notEvaluated(headOf(facts, check), 'The spec expects no manifest (`manifest: none`).');
  }
  return fromFindings(
    facts,
    check,
    missing.map((partition) => ({ where: placeOf(facts, partition), what: 'no manifest' })),
    facts.partitions.length,
    { nothing: 'There is no partition.' },
  );
}

function manifestReadable(facts: BronzeTableFacts): MeasuredResult {
  return fromFindings(
    facts,
    {
      id: 'manifest_readable',
      severity: 'fail',
      description: 'Every manifest is valid JSON with table, files and rows.',
      expected: 'all manifests',
      next: 'Write the manifest again, whole, then rerun.',
    },
    facts.partitions.flatMap((partition) =>
      partition.manifest.state === 'unreadable'
        ? [{ where: `${placeOf(facts, partition)}/_MANIFEST.json`, what: partition.manifest.message }]
        : [],
    ),
    facts.partitions.filter((partition) => partition.manifest.state !== 'missing').length,
    { nothing: NO_MANIFEST },
  );
}

function manifestIdentity(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult {
  const findings = read.flatMap(({ partition, manifest }): Finding[] => {
    const where = placeOf(facts, partition);
    const found: Finding[] = [];
    if (lastName(manifest.table) !== lastName(facts.spec.source.table)) {
      found.push({ where, what: `its manifest is of table ${manifest.table}` });
    }
    if (manifest.partition !== '' && samePartition(manifest.partition) !== samePartition(partition.partition)) {
      found.push({ where, what: `its manifest is of partition ${manifest.partition}` });
    }
    const foreign = manifest.files.find((file) => isElsewhere(file.path, partition.partition));
    if (foreign) found.push({ where, what: `its manifest lists ${foreign.path}` });
    return found;
  });
  return fromFindings(
    facts,
    {
      id: 'manifest_identity',
      severity: 'fail',
      description: 'A manifest names the table and partition that it lies in.',
      expected: 'its own table and partition',
      next: 'The partition may be a copy of another one: deliver the right files and manifest.',
    },
    findings,
    read.length,
    { nothing: NO_MANIFEST },
  );
}

function filesPresent(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult {
  const findings = read.flatMap(({ partition, manifest, files }): Finding[] => {
    const names = new Set(files.filter((file) => file.sizeBytes !== null).map((file) => baseName(file.key)));
    const listed = manifest.files.map((file) => baseName(file.path));
    const missing = manifest.files
      .filter((file) => !names.has(baseName(file.path)))
      .map((file) => ({
        where: `${placeOf(facts, partition)}/${baseName(file.path)}`,
        what: `listed${file.rows === null ? '' : ` with ${counted(file.rows, 'row')}`}, but not there`,
      }));
    const twice = [...new Set(listed.filter((name, index) => listed.indexOf(name) !== index))].map((name) => ({
      where: `${placeOf(facts, partition)}/${name}`,
      what: 'listed more than once',
    }));
    return [...missing, ...twice];
  });
  return fromFindings(
    facts,
    {
      id: 'manifest_files',
      severity: 'fail',
      description: 'Every file that a manifest lists is there, once.',
      expected: 'all listed files',
      next: 'Deliver the missing files, or a manifest without them.',
    },
    findings,
    read.length,
    { nothing: NO_MANIFEST },
  );
}

function filesListed(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult {
  return fromFindings(
    facts,
    {
      id: 'manifest_unlisted',
      severity: 'fail',
      description: 'Every file that is there is listed in its manifest.',
      expected: 'no other file',
      next: 'Deliver a manifest that lists these files, or take them away.',
    },
    read.flatMap(({ files, listed }) =>
      files
        .filter((file) => !listed.has(baseName(file.key)))
        .map((file) => ({
          where: file.key,
          what: `not in the manifest${file.rows === null ? '' : ` (${counted(file.rows, 'row')})`}`,
          ...(file.rows === null ? {} : { rows: file.rows }),
        })),
    ),
    read.length,
    { nothing: NO_MANIFEST },
  );
}

/** A file's own count, and the manifest's total against the listed files that can be counted. */
function manifestRows(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult {
  const findings = read.flatMap(({ partition, manifest, listed, files }): Finding[] => {
    const own = files.filter((file) => listed.has(baseName(file.key)));
    const perFile = own.flatMap((file): Finding[] => {
      const promised = listed.get(baseName(file.key))?.rows ?? null;
      if (promised === null || file.rows === null || promised === file.rows) return [];
      return [
        {
          where: file.key,
          what: `the manifest promises ${counted(promised, 'row')}, the file holds ${count(file.rows)}`,
        },
      ];
    });
    if (perFile.length > 0 || own.some((file) => file.rows === null) || own.length < listed.size) return perFile;
    const held = own.reduce((sum, file) => sum + (file.rows ?? 0), 0);
    if (held === manifest.totalRows) return [];
    return [
      {
        where: placeOf(facts, partition),
        what: `the manifest promises ${counted(manifest.totalRows, 'row')} in all, its files hold ${count(held)}`,
      },
    ];
  });
  return fromFindings(
    facts,
    {
      id: 'manifest_rows',
      severity: 'fail',
      description: 'A manifest’s row counts are those of the files’ footers.',
      expected: 'equal counts',
      next: 'Rows were lost or added after the manifest was made: deliver the partition again.',
    },
    findings,
    read.length,
    { nothing: NO_MANIFEST },
  );
}

function manifestSizes(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult {
  const sized = read.flatMap(({ files, listed }) =>
    files.flatMap((file) => {
      const promised = listed.get(baseName(file.key))?.sizeBytes ?? null;
      return promised === null || file.sizeBytes === null ? [] : [{ file, promised }];
    }),
  );
  return fromFindings(
    facts,
    {
      id: 'manifest_size',
      severity: 'fail',
      description: 'A file is as long as its manifest says.',
      expected: 'equal sizes',
      next: 'The transfer was cut, or the file changed: deliver it again.',
    },
    sized
      .filter(({ file, promised }) => file.sizeBytes !== promised)
      .map(({ file, promised }) => ({
        where: file.key,
        what: `${counted(file.sizeBytes ?? 0, 'byte')}, the manifest says ${count(promised)}`,
      })),
    sized.length,
    { nothing: read.length === 0 ? NO_MANIFEST : 'The manifests state no sizes.' },
  );
}

/** One result for what can be compared, and one where something cannot. */
function checksums(facts: BronzeTableFacts, read: readonly ReadPartition[]): MeasuredResult[] {
  const check: BronzeCheck = {
    id: 'checksum',
    severity: 'fail',
    description: 'A file’s SHA-256 is the one in its manifest.',
    expected: 'equal checksums',
    next: 'The file changed after its manifest was made: deliver it again.',
  };
  const findings: Finding[] = [];
  const silent = new Set<string>();
  let compared = 0;
  for (const { partition, files, listed } of read) {
    const kind = checksumKind(facts.spec, partition);
    if (kind !== 'bytes') {
      silent.add(whyNotCompared(kind));
      continue;
    }
    for (const file of files) {
      const promised = hexOf(listed.get(baseName(file.key))?.checksum ?? null);
      if (promised === null || file.sha256 === null) {
        if (listed.has(baseName(file.key))) silent.add('The manifests hold no SHA-256 of some files.');
        continue;
      }
      compared++;
      if (promised !== file.sha256)
        findings.push({ where: file.key, what: 'other bytes than the manifest was made of' });
    }
  }
  const head = headOf(facts, check);
  const why = [...silent].sort().join(' ');
  if (findings.length > 0) return [fromFindings(facts, check, findings, compared, { note: why })];
  if (compared > 0) return [measured(head, { state: 'PASS', observed: counted(compared, 'file'), note: why })];
  return [notEvaluated(head, why === '' ? NO_MANIFEST : why)];
}

function whyNotCompared(kind: string): string {
  if (kind === 'rows')
    return 'The manifests’ checksums are of the rows as their writer serialized them, not of the files’ bytes.';
  if (kind === 'none') return 'The spec declares no checksum.';
  return `The manifests’ checksums are of an unknown kind (${kind}).`;
}

/** `sha256:` and capitals are ways to write the same; any other form is no SHA-256. */
function hexOf(checksum: string | null): string | null {
  const hex = checksum?.replace(/^sha-?256:/i, '').toLowerCase() ?? '';
  return /^[0-9a-f]{64}$/.test(hex) ? hex : null;
}

/** `orders/ingest_dt=2025-10-15`, or the table's folder where it has no partitions. */
export function placeOf(facts: BronzeTableFacts, partition: Pick<BronzePartition, 'partition'>): string {
  return partition.partition === '' ? facts.spec.source.table : `${facts.spec.source.table}/${partition.partition}`;
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? path;
}

/** `bronze.orders` and `ecom/raw/orders` are the table `orders`. */
function lastName(table: string): string {
  return table.split(/[./]/).at(-1) ?? table;
}

function samePartition(partition: string): string {
  try {
    return decodeURIComponent(partition.replace(/^\/|\/$/g, ''));
  } catch {
    return partition;
  }
}

/** A listed path may be a bare name, a lake path or a full address; with a folder, that folder must be the partition's. */
function isElsewhere(path: string, partition: string): boolean {
  const folder = path.split('/').at(-2);
  return folder?.includes('=') === true && samePartition(folder) !== samePartition(partition);
}
