/** The text of a query job -> its statements done one after another, with what the job answers. */
import { identifier } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { Catalog, type Table, type TableName, tableText } from './catalog.ts';
import { runDelete, runDrop, runTruncate } from './change-table.ts';
import { createFromStatement } from './create-table.ts';
import type { Sql, Writer } from './database.ts';
import { runInsert } from './insert-rows.ts';
import type { QuerySettings } from './job-configuration.ts';
import { checkLocation, type JobContext } from './job-context.ts';
import type { Outcome } from './jobs.ts';
import { runMerge } from './merge.ts';
import { placeRows, spendModification } from './place-rows.ts';
import { projectEdits } from './project-names.ts';
import { castColumns, outputFields } from './query-output.ts';
import { parameterEdits } from './query-parameters.ts';
import { billedBytes, dmlStatistics, statisticsOf } from './query-statistics.ts';
import { type ComposedSql, compose, type Edit, faultAt, type Stretch, scanSql, splitStatements } from './scan-sql.ts';
import { type Control, parseStatement, type Statement, type WrittenTable } from './sql-statements.ts';
import type { StatementOutcome, StatementRun } from './statement-run.ts';
import { type Field, fieldResource } from './table-schema.ts';
import { findTable, type QueryContext, translateQuery } from './translate-query.ts';

export interface ScriptOptions {
  readonly settings: QuerySettings;
  readonly project: string;
  readonly job: JobContext;
  readonly resultName: string;
}

export class ScriptRun implements StatementRun {
  readonly #writer: Writer;
  readonly #options: ScriptOptions;
  readonly #script: string;
  readonly #statements: readonly Statement[];
  readonly edits: readonly Edit[];
  readonly context: QueryContext;
  readonly #mutated = new Set<string>();
  /** Of the statements so far. */
  #outcomes: StatementOutcome[] = [];
  /** Between BEGIN and COMMIT of the script itself. */
  #isTransaction = false;
  /** How many outcomes there were at its BEGIN. */
  #before = 0;

  /** @throws BigQueryError `invalidQuery` for text that does not parse */
  constructor(writer: Writer, options: ScriptOptions) {
    this.#writer = writer;
    this.#options = options;
    this.#script = options.settings.text;
    const tokens = scanSql(this.#script);
    this.edits = [
      ...parameterEdits(tokens, options.settings.parameters),
      ...projectEdits(tokens, options.project),
    ].sort((a, b) => a.at - b.at);
    this.#statements = splitStatements(tokens).map((each) => parseStatement(this.#script, each));
    if (this.#statements.length === 0) throw faultAt(this.#script, 0, 'Syntax error: Unexpected end of script');
    this.context = {
      script: this.#script,
      project: options.project,
      defaultDataset: options.settings.defaultDataset,
      location: options.job.location,
      catalog: new Catalog(writer, options.job.nowMs),
    };
  }

  get sql(): Sql {
    return this.#writer;
  }

  get isScript(): boolean {
    return this.#statements.length > 1;
  }

  /** Bytes, schema and kind of a single statement, and nothing done. */
  async dryRun(): Promise<Outcome> {
    const [first] = this.#statements;
    if (!first || this.isScript || isControl(first))
      return { statistics: statisticsOf('SCRIPT', 0, 0, {}), result: null };
    if (first.kind !== 'query') {
      const outcome = await this.#do(first);
      return { statistics: statisticsOf(outcome.type, outcome.bytes, 0, outcome.statistics ?? {}), result: null };
    }
    const { sql, bytes } = await translateQuery(this.#writer, this.composed([first.query]), this.context);
    const fields = await outputFields(this.#writer, sql);
    const statistics = statisticsOf('SELECT', bytes, 0, { schema: { fields: fields.map(fieldResource) } });
    return { statistics, result: null };
  }

  async run(): Promise<Outcome> {
    for (const statement of this.#statements) this.#outcomes.push(await this.#step(statement));
    if (this.#isTransaction) await this.#rollback();
    const outcomes = this.#outcomes;
    const read = outcomes.reduce((sum, outcome) => sum + outcome.bytes, 0);
    const billed = outcomes.reduce((sum, outcome) => sum + billedBytes(outcome.bytes, outcome.tablesRead), 0);
    this.#checkBilled(billed);
    const last = outcomes.findLast((outcome) => outcome.result !== null || outcome.dmlRows !== null);
    const [only] = outcomes;
    const statistics = this.isScript
      ? { ...statisticsOf('SCRIPT', read, billed, {}), numChildJobs: String(outcomes.length) }
      : statisticsOf(only?.type ?? 'SELECT', read, billed, { ...dmlStatistics(only), ...only?.statistics });
    return { statistics, result: last?.result ?? { kind: 'none', dmlRows: last?.dmlRows ?? null } };
  }

  composed(parts: readonly (string | Stretch)[]): ComposedSql {
    return compose(this.#script, this.edits, parts);
  }

  nameOf(table: WrittenTable): TableName {
    const parts = table.parts.length > 2 ? table.parts : [this.#options.project, ...table.parts];
    const [project = '', dataset, name, ...more] = parts;
    if (dataset !== undefined && name !== undefined && more.length === 0) return { project, dataset, table: name };
    const fallback = this.#options.settings.defaultDataset;
    if (dataset !== undefined && name === undefined && fallback)
      return { project: fallback.project, dataset: fallback.dataset, table: dataset };
    throw faultAt(
      this.#script,
      table.at,
      `Table "${table.parts.join('.')}" must be qualified with a dataset (e.g. dataset.table).`,
    );
  }

  async #step(statement: Statement): Promise<StatementOutcome> {
    if (isControl(statement)) return this.#control(statement.kind, statement.at);
    if (!this.#writer.isInTransaction) await this.#writer.begin();
    const outcome = await this.#do(statement);
    // Outside of a transaction every statement of a script stands for itself; the last one commits with the job.
    if (!this.#isTransaction && this.#statements.at(-1) !== statement) await this.#writer.commit();
    return outcome;
  }

  async #control(kind: Control['kind'], at: number): Promise<StatementOutcome> {
    if (kind === 'begin' && this.#isTransaction) throw faultAt(this.#script, at, 'Transaction is already in progress');
    if (kind !== 'begin' && !this.#isTransaction) throw faultAt(this.#script, at, 'There is no active transaction');
    if (kind === 'begin') {
      if (!this.#writer.isInTransaction) await this.#writer.begin();
      this.#isTransaction = true;
      this.#mutated.clear();
      this.#before = this.#outcomes.length;
    } else if (kind === 'rollback') await this.#rollback();
    else {
      this.#isTransaction = false;
      if (!this.#isLastCommit(at)) await this.#writer.commit();
    }
    return { type: `${kind.toUpperCase()}_TRANSACTION`, bytes: 0, tablesRead: 0, result: null, dmlRows: null };
  }

  /** The commit that ends the script is left to the job, so that rows and the job's end appear together. */
  #isLastCommit(at: number): boolean {
    const last = this.#statements.at(-1);
    return last?.kind === 'commit' && last.at === at;
  }

  async #rollback(): Promise<void> {
    this.#isTransaction = false;
    await this.#writer.rollback();
    // The rows of its queries went with it.
    this.#outcomes = this.#outcomes.map((each, index) => (index < this.#before ? each : { ...each, result: null }));
  }

  async #do(statement: Exclude<Statement, Control>): Promise<StatementOutcome> {
    if (this.#options.settings.to && (this.isScript || statement.kind !== 'query'))
      throw new BigQueryError(
        'invalidQuery',
        'Cannot set destination table in jobs with DML, DDL or script statements',
        'query',
      );
    switch (statement.kind) {
      case 'query':
        return this.#select(statement.query);
      case 'delete':
        return runDelete(this, statement);
      case 'insert':
        return runInsert(this, statement);
      case 'truncate':
        return runTruncate(this, statement);
      case 'merge':
        return runMerge(this, statement);
      case 'drop':
        return runDrop(this, statement);
      case 'create':
        this.refuseInTransaction(statement.table);
        return createFromStatement(this, statement, this.#options.job.nowMs);
    }
  }

  async #select(query: Stretch): Promise<StatementOutcome> {
    const translated = await translateQuery(this.#writer, this.composed([query]), this.context);
    this.spend(translated.bytes, translated.tables.length);
    const fields = await outputFields(this.#writer, translated.sql);
    const { to } = this.#options.settings;
    const done = { type: 'SELECT', bytes: translated.bytes, tablesRead: translated.tables.length, dmlRows: null };
    const statistics = { schema: { fields: fields.map(fieldResource) } };
    if (to) {
      await checkLocation(this.context.catalog, this.context.location, to.table);
      const select = (wanted: readonly Field[]): string => castColumns(wanted, fields, translated.sql);
      const { catalog } = this.context;
      const { job } = this.#options;
      const placed = await placeRows(this.#writer, catalog, to, { fields, missing: 'allow', select }, job.nowMs);
      await spendModification(this.#writer, job, placed);
      return { ...done, statistics, result: { kind: 'table', table: to.table, rows: placed.rows } };
    }
    const physical = this.#options.resultName;
    await this.#writer.run(
      `CREATE OR REPLACE TABLE results.${identifier(physical)} AS ${castColumns(fields, fields, translated.sql)}`,
    );
    const { rows } = await this.#writer.one(`SELECT count(*) AS rows FROM results.${identifier(physical)}`);
    return { ...done, statistics, result: { kind: 'rows', physical, fields, rows: Number(rows) } };
  }

  async target(table: WrittenTable): Promise<Table> {
    return findTable(this.context, this.nameOf(table));
  }

  async changed(table: Table): Promise<void> {
    await this.context.catalog.putTable(table);
    this.#mutated.add(tableText(table));
    if (this.#isTransaction) this.#options.job.quotas.checkTransaction(this.#mutated.size);
  }

  columnsNamed(table: Table, names: readonly string[] | null, at: number): readonly Field[] {
    if (names === null) return table.fields;
    return names.map((name) => {
      const field = table.fields.find((each) => each.name.toLowerCase() === name.toLowerCase());
      if (!field) throw faultAt(this.#script, at, `Column ${name} is not present in table ${tableText(table)}`);
      return field;
    });
  }

  refuseInTransaction(table: WrittenTable): void {
    if (this.#isTransaction)
      throw faultAt(
        this.#script,
        table.at,
        'DDL statements on permanent tables are not supported inside a transaction',
      );
  }

  spend(bytes: number, tables: number): void {
    this.#checkBilled(billedBytes(bytes, tables));
  }

  #checkBilled(bytes: number): void {
    const most = this.#options.settings.maximumBytesBilled;
    if (most !== null && bytes > most)
      throw new BigQueryError(
        'bytesBilledLimitExceeded',
        `Query exceeded limit for bytes billed: ${most}. ${bytes} or higher required.`,
      );
  }
}

function isControl(statement: Statement): statement is Control {
  return statement.kind === 'begin' || statement.kind === 'commit' || statement.kind === 'rollback';
}
