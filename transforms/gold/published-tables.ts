/** The current publication of a layer -> a table's definition in the warehouse, and the warehouse made equal to it. */
import { PipelineError } from '../../core/errors.ts';
import { canonicalJson } from '../../core/fingerprint.ts';
import type { PublicationReader, Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import type { ColumnNote, Spec, WarehouseSpec } from '../../core/spec.ts';
import type { DataPartition, LoadReceipt, PublishedLayer, PublishedTable } from '../../core/types.ts';
import { readMartState } from './mart-state.ts';

export interface VisibleTable {
  readonly layer: PublishedLayer;
  readonly name: string;
  readonly published: PublishedTable;
  /** Sequence of the publication that shows it. */
  readonly sequence: number;
}

/**
 * What readers of the lake see now; tables of one layer in one version. A run that has published sees its own, as no other has
 * published since.
 *
 * @throws PipelineError `publication_not_found`
 */
export async function readVisible(
  publications: PublicationReader,
  tables: readonly Pick<VisibleTable, 'layer' | 'name'>[],
): Promise<readonly VisibleTable[]> {
  const layers = [...new Set(tables.map(({ layer }) => layer))];
  const visible = new Map(
    await Promise.all(layers.map(async (layer) => [layer, await publications.current(layer)] as const)),
  );
  return tables.map(({ layer, name }) => {
    const publication = visible.get(layer);
    const published = publication?.tables[name];
    if (publication && published) return { layer, name, published, sequence: publication.sequence };
    throw new PipelineError(
      'publication_not_found',
      `${layer}.${name} is not published yet, so the warehouse cannot have it. Run the tasks that build and publish ${layer}.${name} first.`,
      { context: { layer, table: name } },
    );
  });
}

/** Columns as they are published, with what the spec says of them and of the table. */
export function tableDefinition(spec: Spec, { layer, name, published }: VisibleTable): WarehouseTableDef {
  const { description, columns, warehouse } = declaredTable(spec, layer, name);
  const notes = new Map(columns.map((column) => [column.name.toLowerCase(), column]));
  return {
    dataset: layer,
    table: name,
    columns: published.columns.map((column) => {
      const note = notes.get(column.name.toLowerCase());
      return {
        ...column,
        ...(note && note.description !== '' ? { description: note.description } : {}),
        ...(note?.policyTags === undefined ? {} : { policyTags: note.policyTags }),
      };
    }),
    partitionKey: published.partitionKey,
    clusterBy: warehouse?.clusterBy ?? [],
    description,
    ...(warehouse === null ? {} : { options: warehouse.options }),
  };
}

interface DeclaredTable {
  readonly description: string;
  readonly columns: readonly ColumnNote[];
  readonly warehouse: WarehouseSpec | null;
}

/** A dim has the columns of the silver table that it is a snapshot of; a table that the spec has no more says nothing. */
function declaredTable(spec: Spec, layer: PublishedLayer, name: string): DeclaredTable {
  const nothing: DeclaredTable = { description: '', columns: [], warehouse: null };
  switch (layer) {
    case 'gold': {
      const mart = spec.marts.find((candidate) => candidate.name === name);
      if (!mart) return nothing;
      const { description, columns, clusterBy, warehouse } = mart;
      return { description, columns, warehouse: warehouse === null ? null : { clusterBy, options: warehouse } };
    }
    case 'enriched':
      return spec.transforms.find((transform) => transform.name === name) ?? nothing;
    case 'silver':
      return spec.tables.find((table) => table.name === name) ?? nothing;
    case 'dims': {
      const { description, columns } = spec.tables.find((table) => table.name === name) ?? nothing;
      return { description, columns, warehouse: null };
    }
  }
}

/** What a warehouse has of a table. */
type Loaded = Awaited<ReturnType<Warehouse['loaded']>>;

export interface MirroredTable {
  readonly visible: VisibleTable;
  /** What the warehouse had of it when it was looked at. */
  readonly before: Loaded;
  /** Of all that was loaded; null where the warehouse was left as it is. */
  readonly receipts: readonly LoadReceipt[] | null;
}

/**
 * Makes tables of the warehouse equal to what readers of the lake see. Where another version is shown once that is done, these may
 * be older rows over those of a run that was faster: then they are made equal to that one.
 *
 * @throws PipelineError `publication_not_found`, `warehouse_schema`, `warehouse_rejected`, `warehouse_unavailable`
 */
export async function mirrorVisible(
  publications: PublicationReader,
  warehouse: Warehouse,
  spec: Spec,
  tables: readonly Pick<VisibleTable, 'layer' | 'name'>[],
): Promise<readonly MirroredTable[]> {
  const earlier = new Map<string, readonly LoadReceipt[]>();
  for (;;) {
    const mirrored: MirroredTable[] = [];
    for (const visible of await readVisible(publications, tables)) {
      const def = tableDefinition(spec, visible);
      const before = await warehouse.loaded(def.dataset, def.table);
      const receipts = await mirrorTable(warehouse, def, visible.published, before);
      mirrored.push({ visible, before, receipts });
    }
    const isWritten = mirrored.some(({ receipts }) => receipts !== null);
    if (!isWritten || areShown(mirrored, await readVisible(publications, tables))) {
      return mirrored.map((one) => ({ ...one, receipts: joined(earlier.get(nameOf(one)), one.receipts) }));
    }
    for (const one of mirrored) earlier.set(nameOf(one), joined(earlier.get(nameOf(one)), one.receipts) ?? []);
  }
}

const nameOf = ({ visible: { layer, name } }: MirroredTable): string => `${layer}.${name}`;

function joined(
  earlier: readonly LoadReceipt[] | undefined,
  more: readonly LoadReceipt[] | null,
): readonly LoadReceipt[] | null {
  return earlier === undefined ? more : [...earlier, ...(more ?? [])];
}

const areShown = (mirrored: readonly MirroredTable[], now: readonly VisibleTable[]): boolean =>
  mirrored.every(({ visible }, at) => {
    const shown = now[at];
    return shown !== undefined && hasSameContent(visible, shown);
  });

export const hasSameContent = (one: VisibleTable, other: VisibleTable): boolean =>
  one.sequence === other.sequence || contentOf(one) === contentOf(other);

const contentOf = ({ published }: VisibleTable): string =>
  canonicalJson(Object.values(published.partitions).map(({ value, fingerprint }) => [value, fingerprint]));

/** True where the warehouse has the table, and every published partition of it. */
export const holdsPublished = (loaded: Loaded, published: PublishedTable): boolean =>
  loaded !== 'absent' && missingIn(loaded, published).length === 0;

/**
 * Published partitions that the warehouse lacks or has in another version. It names one by its file where a load brought it, and by
 * what it was built from where a swap did: a published mart knows both names.
 */
export function missingIn(loaded: Loaded, published: PublishedTable | undefined): readonly DataPartition[] {
  const { contents } = readMartState(published);
  return Object.values(published?.partitions ?? {}).filter(({ value, fingerprint }) => {
    const name = loaded === 'absent' ? undefined : loaded.get(value);
    return name === undefined || (name !== fingerprint && name !== contents[value]);
  });
}

/**
 * Loads every published partition that the warehouse lacks or has in another version, and removes those that are published
 * no more. A first load, a late partition, a crash in between and a rollback are all the same to it; a repeat changes nothing.
 *
 * @param loaded what the warehouse has of it, as it was just seen
 * @returns receipts of what was loaded; null where the warehouse was left as it is
 * @throws PipelineError `warehouse_schema`, `warehouse_rejected`, `warehouse_unavailable`
 */
export async function mirrorTable(
  warehouse: Warehouse,
  def: WarehouseTableDef,
  published: PublishedTable,
  loaded: Loaded,
): Promise<readonly LoadReceipt[] | null> {
  const known = loaded === 'absent' ? new Map<string, string>() : loaded;
  const stale = Object.values(published.partitions).filter(
    ({ value, fingerprint }) => known.get(value) !== fingerprint,
  );
  const gone = [...known.keys()].filter((value) => !(value in published.partitions));
  if (stale.length === 0 && gone.length === 0) {
    if (loaded !== 'absent') return null;
    await warehouse.ensureTable(def);
    return [];
  }
  return warehouse.loadPartitions(def, stale, gone);
}
