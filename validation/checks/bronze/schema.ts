/** Columns of the files against the declared ones and against each other; their order never matters. Pure. */
import type { ColumnSpec, TableSpec } from '../../../core/spec.ts';
import { type BronzeFileFacts, type BronzeTableFacts, type FileColumn, sameName } from '../../bronze-facts.ts';
import { someOf } from '../../figures.ts';
import { compareText, type MeasuredResult, notEvaluated } from '../../measured-result.ts';
import { type BronzeCheck, type Finding, fromFindings, headOf } from './finding.ts';

const LINEAGE = ['batch_id', 'ingestion_ts', 'event_id', 'source_file'] as const;
/** Lineage that only our own bronze writes. */
const OWN_LINEAGE = ['row_number'] as const;

export function schemaChecks(facts: BronzeTableFacts): readonly MeasuredResult[] {
  const files = facts.files.filter((file) => file.unreadable === null);
  return [
    requiredColumns(facts, files),
    missingColumns(facts, files),
    requiredTypes(facts, files),
    optionalTypes(facts, files),
    undeclaredColumns(facts, files),
    ...schemaDrift(facts, files),
    lineageColumns(facts, files),
  ];
}

/** Where the spec declares the table. */
function placeOf({ spec: { location } }: BronzeTableFacts): string {
  return `${location.file}:${location.line}`;
}

/** Declared columns that bronze must bring: computed ones and the one that the folder names are not among them. */
function expectedColumns(spec: TableSpec): readonly ColumnSpec[] {
  return spec.columns.filter((column) => column.expr === null && column.sourceName !== spec.source.partitionKey);
}

function columnOf(file: BronzeFileFacts, name: string): FileColumn | undefined {
  return file.columns.find((column) => sameName(column.name, name));
}

function ifDeclared(facts: BronzeTableFacts, check: BronzeCheck, measure: () => MeasuredResult): MeasuredResult {
  if (facts.spec.columns.length > 0) return measure();
  return notEvaluated(headOf(facts, check), 'The table declares no columns and takes them from bronze.');
}

function requiredColumns(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'required_columns',
    severity: 'fail',
    description: 'Every file has the columns that the spec requires.',
    expected: 'all required columns',
    next: `Deliver the files with the column, or change ${placeOf(facts)}.`,
  };
  return ifDeclared(facts, check, () => fromFindings(facts, check, lacking(facts, files, true), files.length));
}

function missingColumns(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'missing_columns',
    severity: 'warn',
    description:
      'Every file has the declared columns that are not required; where one is missing, its values become null.',
    expected: 'all declared columns',
  };
  return ifDeclared(facts, check, () => fromFindings(facts, check, lacking(facts, files, false), files.length));
}

function lacking(facts: BronzeTableFacts, files: readonly BronzeFileFacts[], required: boolean): Finding[] {
  const wanted = expectedColumns(facts.spec).filter((column) => column.required === required);
  return files.flatMap((file) => {
    const missing = wanted.filter((column) => columnOf(file, column.sourceName) === undefined);
    if (missing.length === 0) return [];
    return [
      {
        where: file.key,
        what: `no column ${someOf(
          missing.map((column) => column.sourceName),
          5,
        )}`,
      },
    ];
  });
}

function requiredTypes(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'column_types',
    severity: 'fail',
    description: 'A required column lies in bronze with a type of the declared kind.',
    expected: 'the declared kinds',
    next: `Deliver the files with the declared type, or change the column in ${placeOf(facts)}.`,
  };
  return ifDeclared(facts, check, () => fromFindings(facts, check, wrongTypes(facts, files, true), files.length));
}

function optionalTypes(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'optional_column_types',
    severity: 'warn',
    description: 'A column that is not required lies in bronze with a type of the declared kind.',
    expected: 'the declared kinds',
  };
  return ifDeclared(facts, check, () => fromFindings(facts, check, wrongTypes(facts, files, false), files.length));
}

function wrongTypes(facts: BronzeTableFacts, files: readonly BronzeFileFacts[], required: boolean): Finding[] {
  const wanted = expectedColumns(facts.spec).filter((column) => column.required === required);
  return files.flatMap((file) => {
    const isText = isTextDelivery(file);
    return wanted.flatMap((column): Finding[] => {
      const found = columnOf(file, column.sourceName);
      // A column without any value says nothing about its type, whatever its writer guessed.
      if (!found || found.type === 'NULL' || file.counts?.nonNull.get(found.name) === 0) return [];
      const kinds = kindsFor(column, isText);
      if (kinds.includes(kindOf(found.type))) return [];
      return [
        {
          where: file.key,
          what: `column ${column.sourceName} is ${found.type}, expected ${kinds.join(' or ')} for ${column.type}`,
        },
      ];
    });
  });
}

type Kind = 'text' | 'number' | 'boolean' | 'date or time' | 'other';

function kindOf(type: string): Kind {
  if (type === 'VARCHAR') return 'text';
  if (type === 'BOOLEAN') return 'boolean';
  if (/^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL)/.test(type)) return 'number';
  if (/^(DATE|TIMESTAMP)/.test(type)) return 'date or time';
  return 'other';
}

/**
 * Kinds of a bronze column that the declared type is cast from without changing what it means. Times are text in most
 * deliveries. A number or boolean as text is normal only where the whole file is text, as from CSV.
 */
function kindsFor(column: ColumnSpec, isText: boolean): readonly Kind[] {
  switch (column.type) {
    case 'string':
      return ['text'];
    case 'date':
    case 'timestamp':
      return ['text', 'date or time'];
    case 'bool':
      return isText ? ['boolean', 'text'] : ['boolean'];
    default:
      return isText ? ['number', 'text'] : ['number'];
  }
}

function isTextDelivery(file: BronzeFileFacts): boolean {
  const own = file.columns.filter(
    (column) => ![...LINEAGE, ...OWN_LINEAGE].some((name) => sameName(name, column.name)),
  );
  return own.every((column) => column.type === 'VARCHAR' || column.type === 'NULL');
}

function undeclaredColumns(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'undeclared_columns',
    severity: 'warn',
    description: 'No file has a column that the spec does not declare; such columns are not read.',
    expected: 'declared columns only',
  };
  const known = [
    ...facts.spec.columns.map((column) => column.sourceName),
    ...LINEAGE,
    ...OWN_LINEAGE,
    ...(facts.spec.source.partitionKey === null ? [] : [facts.spec.source.partitionKey]),
  ];
  return ifDeclared(facts, check, () =>
    fromFindings(
      facts,
      check,
      files.flatMap((file) => {
        const extra = file.columns.filter((column) => !known.some((name) => sameName(name, column.name)));
        return extra.length === 0
          ? []
          : [
              {
                where: file.key,
                what: `column ${someOf(
                  extra.map((column) => column.name),
                  5,
                )}`,
              },
            ];
      }),
      files.length,
    ),
  );
}

/** Each file against the columns that most files have; a column of only nulls agrees with every type. */
function schemaDrift(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult[] {
  if (files.length < 2) return [];
  const check: BronzeCheck = {
    id: 'schema_drift',
    severity: 'warn',
    description: 'All files of the table have the same columns and types, in any order.',
    expected: 'one schema',
  };
  const typical = typicalTypes(files);
  const findings = files.flatMap((file) => {
    const own = new Map(file.columns.map((column) => [column.name.toLowerCase(), column]));
    const differences = [
      ...[...typical.keys()].filter((name) => !own.has(name)).map((name) => `no ${name}`),
      ...[...own].flatMap(([name, column]) => differenceOf(file, column, typical.get(name))),
    ].sort(compareText);
    if (differences.length === 0) return [];
    return [{ where: file.key, what: `differs from the other files: ${someOf(differences, 5)}` }];
  });
  return [fromFindings(facts, check, findings, files.length)];
}

function differenceOf(file: BronzeFileFacts, column: FileColumn, typical: string | undefined): string[] {
  if (typical === undefined) return [`${column.name} besides`];
  const isSilent = column.type === 'NULL' || file.counts?.nonNull.get(column.name) === 0;
  return isSilent || typical === 'NULL' || column.type === typical
    ? []
    : [`${column.name} is ${column.type}, elsewhere ${typical}`];
}

/** The most frequent type of each column that at least half of the files have. */
function typicalTypes(files: readonly BronzeFileFacts[]): ReadonlyMap<string, string> {
  const seen = new Map<string, Map<string, number>>();
  for (const file of files) {
    for (const column of file.columns) {
      const name = column.name.toLowerCase();
      const types = seen.get(name) ?? new Map<string, number>();
      const isSilent = file.counts?.nonNull.get(column.name) === 0;
      const type = isSilent ? 'NULL' : column.type;
      types.set(type, (types.get(type) ?? 0) + 1);
      seen.set(name, types);
    }
  }
  const typical = new Map<string, string>();
  for (const [name, types] of seen) {
    const have = [...types.values()].reduce((sum, n) => sum + n, 0);
    if (have * 2 < files.length) continue;
    const ranked = [...types].sort(
      ([a, n], [b, m]) => Number(a === 'NULL') - Number(b === 'NULL') || m - n || compareText(a, b),
    );
    const [type] = ranked[0] ?? ['NULL'];
    typical.set(name, type);
  }
  return typical;
}

function lineageColumns(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult {
  return fromFindings(
    facts,
    {
      id: 'lineage_columns',
      severity: 'warn',
      description: `Every row says where it came from: ${LINEAGE.join(', ')}.`,
      expected: 'four columns, never null',
    },
    files.flatMap((file): Finding[] => {
      const missing = LINEAGE.filter((name) => columnOf(file, name) === undefined);
      const nulls = LINEAGE.filter((name) => {
        const column = columnOf(file, name);
        return (
          column !== undefined && file.rows !== null && (file.counts?.nonNull.get(column.name) ?? file.rows) < file.rows
        );
      });
      const faults = [
        ...(missing.length > 0 ? [`no ${missing.join(', ')}`] : []),
        ...(nulls.length > 0 ? [`nulls in ${nulls.join(', ')}`] : []),
      ];
      return faults.length === 0 ? [] : [{ where: file.key, what: faults.join('; ') }];
    }),
    files.length,
  );
}
