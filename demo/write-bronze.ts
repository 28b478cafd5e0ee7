/** Tables `delivered_<name>` -> Hive-partitioned bronze: Parquet, manifest and success marker in each partition. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addDays, hivePartition } from '../core/partition.ts';
import type { DuckDbSession, Row } from '../engine/duckdb-session.ts';
import { identifier, literal } from '../engine/sql-text.ts';
import { type BronzeTable, isLookup, LINEAGE_COLUMNS } from './bronze-tables.ts';
import type { ShopSize } from './shop-sql.ts';

const DAY_US = 86_400_000_000;
const FILE_NAME = 'part-0000.parquet';
/** Value of the folder for rows whose partition column is null, as Hive writes it. */
const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__';

/**
 * One file a partition, rows by event time, written by one thread so that equal rows give equal bytes.
 * A day's rows arrive the day after at 02:15 UTC, second deliveries at 09:40; lookups arrive before the first day,
 * or the day after the customer signed up.
 */
export async function writeBronze(
  session: DuckDbSession,
  table: BronzeTable,
  size: ShopSize,
  bronzeDir: string,
): Promise<void> {
  const folder = join(bronzeDir, table.name);
  const inFile = table.columns.some(([name]) => name === table.partitionKey);
  await mkdir(folder, { recursive: true });
  // Sorted before the long lineage columns are added, which would only make the sort wider.
  const sorted = `(FROM delivered_${table.name} ORDER BY ${partitionValue(table)} NULLS LAST, __at, __no)`;
  const columns = [...table.columns.map(([name]) => name), ...LINEAGE_COLUMNS, ...(inFile ? [] : [table.partitionKey])];
  await session.run(
    `COPY (SELECT ${columns.map(identifier).join(', ')} FROM (${arriving(table, size, sorted)})) TO ${literal(folder)}
     (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (${identifier(table.partitionKey)}), WRITE_PARTITION_COLUMNS ${inFile},
      OVERWRITE_OR_IGNORE true, FILENAME_PATTERN 'part-000{i}')`,
  );
  const partitions = await session.rows(
    `SELECT __partition AS value, count(*) AS rows, min(__at) AS first_at, max(__at) AS last_at,
       arg_max(batch_id, ingestion_ts) AS batch_id, max(ingestion_ts) AS created_at
     FROM (${arriving(table, size, `delivered_${table.name}`)}) GROUP BY ALL ORDER BY value NULLS LAST`,
  );
  for (const partition of partitions) await writeManifest(table, size, folder, partition);
}

const partitionValue = (table: BronzeTable): string =>
  isLookup(table.name) ? identifier(table.partitionKey) : 'on_day(__day)';

/** Rows with their lineage and partition, in the order of `from`. */
function arriving(table: BronzeTable, { firstDay, seed }: ShopSize, from: string): string {
  const isFact = !isLookup(table.name);
  const value = partitionValue(table);
  const arrival =
    table.name === 'customers' ? `on_day(greatest(0, __at // ${DAY_US} + 1))` : `on_day(${isFact ? '__day + 1' : '0'})`;
  const key = table.key.map((column) => `coalesce(${identifier(column)}::VARCHAR, '')`).join(", '|', ");
  const path = literal(`${table.name}/${table.partitionKey}=`);
  return `
SELECT *, ${isFact ? `${value} AS ingest_dt, ` : ''}${value} AS __partition,
  'batch_' || left(sha256(concat_ws('|', 'batch', ${seed}, ${literal(firstDay)}, ${isFact ? '__day' : "'lookups'"}, __again)), 32) AS batch_id,
  ${arrival} || CASE WHEN __again THEN 'T09:40:00+00:00' ELSE 'T02:15:00+00:00' END AS ingestion_ts,
  'evt_' || sha256(concat(${literal(`${table.name}|`)}, ${key})) AS event_id,
  ${path} || coalesce(${value}, ${literal(HIVE_NULL)}) || ${literal(`/${FILE_NAME}`)} AS source_file
FROM ${from}`;
}

async function writeManifest(table: BronzeTable, size: ShopSize, folder: string, partition: Row): Promise<void> {
  const name = hivePartition(table.partitionKey, partition.value === null ? HIVE_NULL : String(partition.value));
  const path = join(folder, name, FILE_NAME);
  const rows = Number(partition.rows);
  const checksum = await sha256OfFile(path);
  const eventDay = (at: unknown): string | null =>
    table.hasEventTime ? addDays(size.firstDay, Math.floor(Number(at) / DAY_US)) : null;
  const manifest = {
    schema_version: '0.1.0',
    table: table.name,
    batch_id: partition.batch_id,
    partition: name,
    files: [{ path: `${table.name}/${name}/${FILE_NAME}`, rows, size_bytes: (await stat(path)).size, checksum }],
    created_at: partition.created_at,
    min_event_dt: eventDay(partition.first_at),
    max_event_dt: eventDay(partition.last_at),
    generator_version: 'assay demo 1',
    total_rows: rows,
    checksums: [checksum],
    checksum_kind: 'bytes',
  };
  await writeFile(join(folder, name, '_MANIFEST.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(folder, name, '_SUCCESS'), '');
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
