#!/usr/bin/env node
/** argv -> one command, its exit code, and errors as sentences to act on. Loads no engine: each command imports what it needs. */
import { readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Command, CommanderError, Option } from 'commander';
import { exitWith } from './exit.ts';
import { quietLookups } from './warnings.ts';

/**
 * Most commands live for a fraction of a second. Node keeps what it has compiled from 22.8 on, so that commands, which are imported
 * below, start about a tenth sooner; Node 20 keeps nothing, and spends up to a third of a command on optimizing code that then
 * ends. There, code has to stay hot some fifteen times longer.
 */
(nodeModule as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();
if (process.version.startsWith('v20.')) setFlagsFromString('--interrupt-budget=1000000');

interface GlobalFlags {
  project?: string;
  env?: string;
  strict?: boolean;
  warningOnly?: boolean;
  set?: string[];
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
  description: string;
};

const program = new Command('assay')
  .description(manifest.description)
  .version(manifest.version, '-V, --version', 'print the version')
  .helpOption('-h, --help', 'show help')
  .option('--project <dir>', 'project folder (default: the nearest parent with specs/)')
  .option('--env <name>', 'environment: local, dev, prod or sandbox (default: $PIPELINE_ENV, else local)')
  .option('--strict', 'strict gates and strict foreign keys')
  .option('--warning-only', 'gates report and let pass; foreign keys are not enforced')
  .option('--set <key=value>', 'override a setting; may be repeated', (pair: string, all: string[] = []) => [
    ...all,
    pair,
  ])
  .showHelpAfterError('(assay --help lists the commands)')
  .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
  .exitOverride();

const json = () => new Option('--json', 'print the result as JSON');
const day = (flag: string, what: string) => new Option(`${flag} <YYYY-MM-DD>`, what);

program
  .command('init')
  .argument('[dir]', 'folder to make the project in', '.')
  .description('make an empty project that runs: one CSV to one mart')
  .action(async (dir: string) => (await import('./commands/init.ts')).init(dir));

program
  .command('demo')
  .argument('[dir]', 'folder to run in (default: this project)')
  .description('generate 14 days of partly dirty data and take them to gold')
  .option('--orders-per-day <n>', 'size of the generated data', '200')
  .option('--days <n>', 'days to generate; the last one is a daily run of its own', '14')
  .option('--seed <n>', 'seed of the generator', '42')
  .option('--reset', 'start over: delete the demo’s data and state first')
  .action(async (dir: string | undefined, options) =>
    (await import('./commands/demo.ts')).demo(globals(), dir, options),
  );

program
  .command('run')
  .argument('<dag>', 'DAG to run')
  .description('run a DAG here and follow it; a run that exists runs again where anything has changed')
  .addOption(day('--date', 'one day'))
  .addOption(day('--from', 'first of several days'))
  .addOption(day('--to', 'last of several days, included'))
  .option('--as-one-run', 'one run over the whole span instead of one a day')
  .option('--force', 'run again even where nothing has changed')
  .addOption(json())
  .action(async (dag: string, options) => (await import('./commands/run.ts')).run(globals(), dag, options));

program
  .command('trigger')
  .argument('<dag>', 'DAG to trigger')
  .description('ask the running server for a run')
  .addOption(day('--date', 'day to cover (default: the last complete window)'))
  .option('--run-id <id>', 'id of the new run')
  .option('--conf <json>', 'parameters of the run')
  .option('--follow', 'wait for the end and show the tasks')
  .addOption(json())
  .action(async (dag: string, options) => (await import('./commands/trigger.ts')).trigger(globals(), dag, options));

program
  .command('backfill')
  .argument('<dag>', 'DAG to run')
  .description('run a DAG for each day of a span, oldest first')
  .addOption(day('--from', 'first day').makeOptionMandatory())
  .addOption(day('--to', 'last day, included').makeOptionMandatory())
  .addOption(
    new Option('--reprocess <what>', 'which existing runs to run again')
      .choices(['none', 'failed', 'all'])
      .default('failed'),
  )
  .option('--dry-run', 'say which days would run')
  .addOption(json())
  .action(async (dag: string, options) => (await import('./commands/backfill.ts')).backfill(globals(), dag, options));

program
  .command('status')
  .argument('[dag]', 'DAG; all where left out')
  .argument('[run]', 'run id; the newest where left out')
  .description('show DAGs, runs, or the tasks of one run')
  .addOption(json())
  .action(async (dag: string | undefined, run: string | undefined, options) =>
    (await import('./commands/status.ts')).status(globals(), dag, run, options),
  );

program
  .command('cost')
  .argument('<dag>')
  .argument('[run]', 'run id, or `latest`', 'latest')
  .description('say what the warehouse jobs of a run cost, by table and task')
  .addOption(json())
  .action(async (dag: string, run: string, options) =>
    (await import('./commands/cost.ts')).cost(globals(), dag, run, options),
  );

program
  .command('logs')
  .argument('<dag>')
  .argument('<run>', 'run id, or `latest`')
  .argument('<task>')
  .description('print the log of a task')
  .option('--try <n>', 'try number (default: the last)')
  .addOption(json())
  .action(async (dag: string, run: string, task: string, options) =>
    (await import('./commands/logs.ts')).logs(globals(), dag, run, task, options),
  );

program
  .command('cancel')
  .argument('<dag>')
  .argument('<run>', 'run id, or `latest`')
  .description('stop a run: running tasks are killed, waiting ones skipped')
  .action(async (dag: string, run: string) => (await import('./commands/control.ts')).cancel(globals(), dag, run));

program
  .command('clear')
  .argument('<dag>')
  .argument('<run>', 'run id, or `latest`')
  .argument('[tasks...]', 'tasks or groups; all where left out')
  .description('run tasks of a run again')
  .option('--only-failed', 'only those that failed or were held up by a failure')
  .option('--downstream', 'and all that follows them')
  .option('--dry-run', 'say which tasks would run again')
  .action(async (dag: string, run: string, tasks: string[], options) =>
    (await import('./commands/control.ts')).clear(globals(), dag, run, tasks, options),
  );

for (const [name, paused] of [
  ['pause', true],
  ['unpause', false],
] as const) {
  program
    .command(name)
    .argument('<dag>')
    .description(paused ? 'start no more runs of a DAG' : 'let a paused DAG run again')
    .action(async (dag: string) => (await import('./commands/control.ts')).setPaused(globals(), dag, paused));
}

const spec = program.command('spec').description('check and describe specs');
spec
  .command('validate')
  .argument('[folders...]', 'spec folders (default: all below specs/)')
  .description('report every fault of every spec, with place and remedy')
  .addOption(json())
  .action(async (folders: string[], options) =>
    (await import('./commands/spec.ts')).validate(globals(), folders, options),
  );
spec
  .command('schema')
  .description('print the JSON Schema of spec files, for editors')
  .action(async () => (await import('./commands/spec.ts')).schema());

const report = program.command('report').description('read validation reports');
report
  .command('show')
  .argument('[name]', 'SILVER_QUALITY, …; lists them where left out')
  .description('print a report, or list all with their verdicts')
  .option('--run <id>', 'the copy of that run')
  .addOption(json())
  .action(async (name: string | undefined, options) =>
    (await import('./commands/report.ts')).show(globals(), name, options),
  );

program
  .command('query')
  .argument('[sql]', 'a GoogleSQL SELECT; or ask a mart by name with --mart')
  .description('read published tables: gold.fct_daily_dashboard, enriched.…, dims.…, silver.…')
  .option('--mart <name>', 'mart to ask for its metrics')
  .option('--measure <names...>', 'figures of the mart')
  .option('--by <names...>', 'dimensions to group by')
  .option('--grain <grain>', 'group by day, week, month, quarter or year')
  .option('--from <YYYY-MM-DD>', 'first day')
  .option('--to <YYYY-MM-DD>', 'last day, included')
  .option('--where <condition...>', "e.g. 'channel = \"web\"' or 'net_revenue > 100'")
  .option('--order-by <names...>', 'fields of the answer; -name for descending, as in --order-by=-name')
  .option('--publication <n>', 'version to read: of gold, or gold=12,enriched=40')
  .option('--pipeline <name>', 'pipeline whose tables are meant')
  .option('--limit <rows>', 'most rows (default: 1000 on screen, all into a file)')
  .addOption(new Option('--format <format>', 'how to print').choices(['table', 'csv', 'json', 'parquet']))
  .option('--output <file>', 'write to a file; its ending says the format')
  .addOption(json())
  .action(async (sql: string | undefined, options) =>
    (await import('./commands/query.ts')).query(globals(), sql, options),
  );

program
  .command('metrics')
  .argument('[mart]', 'all where left out')
  .description('list what marts can be asked for by name')
  .option('--pipeline <name>', 'pipeline whose marts are meant')
  .addOption(json())
  .action(async (mart: string | undefined, options) =>
    (await import('./commands/metrics.ts')).metrics(globals(), mart, options),
  );

program
  .command('ls')
  .argument('[table]', '`silver.orders`; all where left out')
  .description('list published tables, partitions or files')
  .option('--files', 'with the files that hold each partition')
  .option('--pipeline <name>', 'pipeline whose tables are meant')
  .addOption(json())
  .action(async (table: string | undefined, options) =>
    (await import('./commands/publications.ts')).ls(globals(), table, options),
  );

program
  .command('versions')
  .argument('<layer>', 'silver, dims, enriched or gold')
  .description('list the publications of a layer')
  .option('--pipeline <name>', 'pipeline whose layer is meant')
  .addOption(json())
  .action(async (layer: string, options) =>
    (await import('./commands/publications.ts')).versions(globals(), layer, options),
  );

program
  .command('publish')
  .argument('<layer>', 'silver, dims, enriched or gold')
  .description('publish what a closed gate kept back, and let its run go on')
  .option('--because <text>', 'why; it stays with the version')
  .option('--hold-failed', 'leave the tables that failed, and all that is built on them, as readers see them')
  .option('--run <run>', 'run that stopped at the gate (default: the newest)')
  .option('--pipeline <name>', 'pipeline whose layer is meant')
  .option('--dry-run', 'say what would be published')
  .option('--yes', 'do not ask')
  .addOption(json())
  .action(async (layer: string, options) => (await import('./commands/publish.ts')).publish(globals(), layer, options));

program
  .command('rollback')
  .argument('<layer>', 'silver, dims, enriched or gold')
  .description('publish an older version again, as a new one')
  .requiredOption('--to <sequence>', 'version to go back to')
  .option('--hold', 'and let nobody publish the layer until it is released')
  .option('--reason <text>', 'why it is held, for whoever meets the hold')
  .option('--pipeline <name>', 'pipeline whose layer is meant')
  .option('--dry-run', 'say what readers would see')
  .option('--yes', 'do not ask')
  .addOption(json())
  .action(async (layer: string, options) =>
    (await import('./commands/publications.ts')).rollback(globals(), layer, options),
  );

program
  .command('hold')
  .argument('<layer>', 'silver, dims, enriched or gold')
  .description('let nobody publish a layer, until it is released')
  .option('--reason <text>', 'why, for whoever meets the hold')
  .option('--release', 'let it be published again')
  .option('--pipeline <name>', 'pipeline whose layer is meant')
  .option('--dry-run', 'say what would change')
  .addOption(json())
  .action(async (layer: string, options) => (await import('./commands/hold.ts')).hold(globals(), layer, options));

program
  .command('gc')
  .description('delete versions that retention lets go, and staged files that no version references')
  .option('--layer <layer>', 'silver, dims, enriched or gold (default: all)')
  .option('--pipeline <name>', 'pipeline whose lake is meant')
  .option('--dry-run', 'say what would be deleted')
  .option('--yes', 'do not ask')
  .addOption(json())
  .action(async (options) => (await import('./commands/gc.ts')).gc(globals(), options));

const config = program.command('config').description('settings and where they come from');
config
  .command('show')
  .description('print every setting')
  .addOption(json())
  .action(async (options) => (await import('./commands/config.ts')).show(globals(), options));
config
  .command('explain')
  .argument('<key>')
  .description('say which file, variable or flag set a key')
  .action(async (key: string) => (await import('./commands/config.ts')).explain(globals(), key));

program
  .command('sandbox')
  .description('run local stand-ins for Cloud Storage and BigQuery, for --env sandbox')
  .option('--port <n>', 'port to listen on')
  .option('--fault <rule...>', 'make requests fail, e.g. storage:503:0.05 or bigquery:rateLimitExceeded:0.1')
  .option('--seed <n>', 'decides which requests a rate hits', '1')
  .option('--reset', 'start over: delete its buckets and datasets first')
  .action(async (options) => (await import('./commands/sandbox.ts')).sandbox(globals(), options));

program
  .command('server')
  .description('run scheduler, API and page on http://127.0.0.1:4600')
  .option('--host <address>', 'address to listen on')
  .option('--port <n>', 'port to listen on')
  .option('--no-schedules', 'start no run by the clock')
  .action(async (options) => (await import('./commands/server.ts')).server(globals(), options));

/** Flags given before or after the command's name. */
function globals(): GlobalFlags {
  return program.opts<GlobalFlags>();
}

async function main(): Promise<number> {
  try {
    await program.parseAsync(hoistGlobals(process.argv));
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    return (await import('./report-error.ts')).reportError(thrown);
  }
}

/** `assay run x --strict` means the same as `assay --strict run x`. */
function hoistGlobals(argv: readonly string[]): string[] {
  const [node = '', script = '', ...rest] = argv;
  const hoisted: string[] = [];
  const others: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? '';
    if (word === '--') {
      others.push(...rest.slice(index));
      break;
    }
    const [flag = ''] = word.split('=');
    if (['--strict', '--warning-only'].includes(flag)) hoisted.push(word);
    else if (['--project', '--env', '--set'].includes(flag)) {
      hoisted.push(word);
      if (!word.includes('=') || flag === word) {
        index += 1;
        const value = rest[index];
        if (value !== undefined) hoisted.push(value);
      }
    } else others.push(word);
  }
  return [node, script, ...hoisted, ...others];
}

quietLookups();
exitWith(await main());
