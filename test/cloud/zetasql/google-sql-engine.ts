/** Tables and one GoogleSQL statement -> its rows as ZetaSQL's reference implementation computes them, in a child process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { CanonicalRows } from '../../fixtures-support/canonical-rows.ts';
import {
  cellText,
  type GoogleType,
  type InputCell,
  type TypeMessage,
  typeMessage,
  typeName,
  type ValueMessage,
  valueMessage,
} from './values.ts';

export interface InputTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: GoogleType }[];
  readonly rows: readonly (readonly InputCell[])[];
}

export interface GoogleParameter {
  readonly name: string;
  readonly type: GoogleType;
  readonly value: string;
}

type Answer = Readonly<Record<string, unknown>>;
type Method = (request: unknown, done: (error: Error | null, answer: Answer) => void) => void;

interface Service {
  waitForReady(deadline: number, done: (error?: Error) => void): void;
  close(): void;
  readonly GetLanguageOptions: Method;
  readonly EvaluateQuery: Method;
  readonly Analyze: Method;
}

/** The parts of `@grpc/grpc-js` and `@grpc/proto-loader` that are used; the packages are no dependency of this project. */
interface Grpc {
  loadPackageDefinition(definition: unknown): {
    readonly zetasql: {
      readonly local_service: { readonly ZetaSqlLocalService: new (address: string, credentials: unknown) => Service };
    };
  };
  readonly credentials: { createInsecure(): unknown };
}
interface ProtoLoader {
  loadSync(file: string, options: object): unknown;
}

interface LanguageOptions {
  readonly enabledLanguageFeatures: readonly string[];
  readonly productMode: string;
}

/** Use with `await using`: closing ends the child. */
export class GoogleSqlEngine implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #service: Service;
  readonly #language: LanguageOptions;

  private constructor(child: ChildProcess, service: Service, language: LanguageOptions) {
    this.#child = child;
    this.#service = service;
    this.#language = language;
  }

  /** `folder` holds the package's own `package.json` and `node_modules`. */
  static async start(folder: string): Promise<GoogleSqlEngine> {
    const require = createRequire(join(folder, 'package.json'));
    const lib = dirname(require.resolve('@fivetrandevelopers/zetasql'));
    const grpc = require('@grpc/grpc-js') as Grpc;
    const loader = require('@grpc/proto-loader') as ProtoLoader;
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(join(lib, 'zetasql', serverName()), address.split(':'), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: string[] = [];
    child.stderr?.on('data', (text: Buffer) => said.push(text.toString()));
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`ZetaSQL ended with ${code} before it was ready. ${said.join('')}`)),
      );
    });
    // Only a start that is still awaited may be told of the end.
    failed.catch(() => {});
    const definition = loader.loadSync('local_service.proto', {
      oneofs: true,
      longs: String,
      enums: String,
      includeDirs: [join(lib, 'zetasql', 'protos')],
    });
    const { ZetaSqlLocalService } = grpc.loadPackageDefinition(definition).zetasql.local_service;
    const service = new ZetaSqlLocalService(address, grpc.credentials.createInsecure());
    try {
      const ready = new Promise<void>((resolve, reject) => {
        service.waitForReady(Date.now() + 60_000, (error) => (error ? reject(error) : resolve()));
      });
      await Promise.race([ready, failed]);
      const all = await call(service, 'GetLanguageOptions', { maximumFeatures: true });
      return new GoogleSqlEngine(child, service, bigQueryLanguage(all as unknown as LanguageOptions));
    } catch (thrown) {
      service.close();
      child.kill('SIGKILL');
      throw thrown;
    }
  }

  /**
   * Rows in the order of the result. Tables are named without a layer.
   *
   * @throws Error with ZetaSQL's message for a statement that it rejects or fails at
   */
  async evaluate(
    statement: string,
    tables: readonly InputTable[],
    parameters: readonly GoogleParameter[],
  ): Promise<CanonicalRows> {
    const answer = await call(this.#service, 'EvaluateQuery', {
      sql: statement,
      options: this.#options(parameters),
      simpleCatalog: this.#catalog(tables),
      tableContent: Object.fromEntries(
        tables.map(({ name, columns, rows }) => [
          name,
          {
            tableData: {
              row: rows.map((row) => ({
                cell: row.map((cell, index) => valueMessage(cell, columns[index]?.type ?? 'STRING')),
              })),
            },
          },
        ]),
      ),
      params: parameters.map(({ name, type, value }) => ({ name, value: valueMessage(value, type) })),
    });
    const { prepared, content } = answer as unknown as {
      readonly prepared: { readonly columns?: readonly { readonly type: TypeMessage }[] };
      readonly content: {
        readonly tableData?: { readonly row?: readonly { readonly cell?: readonly ValueMessage[] }[] };
      };
    };
    const columns = prepared.columns ?? [];
    const rows = (content.tableData?.row ?? []).map((row) =>
      columns.map(({ type }, index) => cellText(messageOf(row.cell?.[index]), type)),
    );
    return { types: columns.map(({ type }) => typeName(type)), rows };
  }

  /**
   * Checks a statement against tables without rows.
   *
   * @throws Error with ZetaSQL's message: unknown columns, wrong types, bad calls
   */
  async analyze(
    statement: string,
    tables: readonly Omit<InputTable, 'rows'>[],
    parameters: readonly GoogleParameter[],
  ): Promise<void> {
    await call(this.#service, 'Analyze', {
      sqlStatement: statement,
      options: this.#options(parameters),
      simpleCatalog: this.#catalog(tables),
    });
  }

  #options(parameters: readonly GoogleParameter[]): object {
    return {
      languageOptions: this.#language,
      defaultTimezone: 'UTC',
      queryParameters: parameters.map(({ name, type }) => ({ name, type: typeMessage(type) })),
    };
  }

  #catalog(tables: readonly Omit<InputTable, 'rows'>[]): object {
    return {
      name: 'catalog',
      builtinFunctionOptions: { languageOptions: this.#language },
      table: tables.map(({ name, columns }) => ({
        name,
        column: columns.map((column) => ({ name: column.name, type: typeMessage(column.type) })),
      })),
    };
  }

  async close(): Promise<void> {
    this.#service.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Without the word that names the set field of a oneof. */
function messageOf(cell: (ValueMessage & { readonly value?: string }) | undefined): ValueMessage {
  const { value: _, ...rest } = cell ?? {};
  return rest;
}

/** The language of BigQuery: no INT32 and FLOAT, instants to the microsecond, QUALIFY also without WHERE. */
function bigQueryLanguage(all: LanguageOptions): LanguageOptions {
  return {
    ...all,
    productMode: 'PRODUCT_EXTERNAL',
    enabledLanguageFeatures: [
      ...all.enabledLanguageFeatures.filter((feature) => feature !== 'FEATURE_TIMESTAMP_NANOS'),
      'FEATURE_INTERVAL_TYPE',
    ],
    ...{ reservedKeywords: ['QUALIFY'] },
  };
}

function serverName(): string {
  const arm = process.arch.startsWith('arm') ? '_arm' : '';
  return `remote_server${arm}${process.platform === 'darwin' ? '' : '.so'}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function call(service: Service, method: 'GetLanguageOptions' | 'EvaluateQuery' | 'Analyze', request: unknown) {
  return new Promise<Answer>((resolve, reject) => {
    service[method](request, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}
