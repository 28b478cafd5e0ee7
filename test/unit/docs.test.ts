/** README and docs -> every command, flag, setting, script, address and link in them exists. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isSettingKey, KEY_GROUPS, SETTING_KEYS, variableName } from '../../config/setting-keys.ts';
import { settingKeys } from '../../config/settings.ts';
import { createWorld } from '../fixtures-support/api-world.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import type { CommandRow } from '../fixtures-support/print-commands.ts';

const ROOT = packageRoot();
const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('validation_reports'))
    .map((name) => join('docs', name)),
];

interface Written {
  /** `README.md:12` */
  readonly place: string;
  readonly text: string;
  /** In a block of its own, to be run as it stands; else within a sentence or a table, where parts are left out. */
  readonly isWhole: boolean;
}

/** Lines of fenced blocks, with continued ones joined, and code within sentences. */
function codeIn(page: string): readonly Written[] {
  const found: Written[] = [];
  let isFenced = false;
  let begun = '';
  readFileSync(join(ROOT, page), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      const place = `${page}:${index + 1}`;
      if (line.startsWith('```')) isFenced = !isFenced;
      else if (!isFenced) {
        for (const [, text = ''] of line.matchAll(/`([^`]+)`/g)) found.push({ place, text, isWhole: false });
      } else if (line.endsWith('\\')) begun += line.slice(0, -1);
      else {
        for (const text of (begun + line).split('&&')) found.push({ place, text: text.trim(), isWhole: true });
        begun = '';
      }
    });
  return found;
}

/** Words as a shell takes them; a comment ends the line. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    // A comment, or the words beside a box of a drawing.
    if (word.startsWith('#') || word === '──') break;
    words.push(
      word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_whole, a: string | undefined, b: string | undefined) => a ?? b ?? ''),
    );
  }
  return words;
}

const CODE = PAGES.flatMap(codeIn);

describe('what the documentation tells people to type', () => {
  let commands: ReadonlyMap<string, CommandRow>;
  before(() => {
    const preload = pathToFileURL(join(ROOT, 'dist/test/fixtures-support/print-commands.js')).href;
    const text = execFileSync(process.execPath, ['--import', preload, join(ROOT, 'dist/cli/main.js')], {
      encoding: 'utf8',
    });
    commands = new Map((JSON.parse(text) as CommandRow[]).map((row) => [row.name, row]));
  });

  /** What is wrong with a command line; null where nothing is. */
  function faultOf(words: readonly string[], isWhole: boolean): string | null {
    const everywhere = commands.get('')?.options ?? [];
    let name = '';
    let given = 0;
    let leavesOut = !isWhole;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] ?? '';
      const row = commands.get(name);
      if (word.startsWith('-')) {
        const [flag = ''] = word.split('=');
        const option = [...(row?.options ?? []), ...everywhere].find(({ flags }) => flags.includes(flag));
        if (option === undefined) return `${name} has no ${flag}`;
        if (option.takes === 'nothing' || word.includes('=')) continue;
        at += 1;
        if (words[at] === undefined) return `${flag} wants a value`;
        const value = words[at] ?? '';
        if (flag === '--set' && !isKnownSetting(value.split('=')[0] ?? '')) return `there is no setting ${value}`;
      } else if (row?.hasCommands) {
        name = `${name} ${word}`.trim();
        if (!commands.has(name)) return `there is no command ${name}`;
      } else {
        given += 1;
        leavesOut ||= /[…<[]/.test(word);
      }
    }
    const row = commands.get(name);
    if (row === undefined) return `there is no command ${name}`;
    if (row.most !== null && given > row.most && !leavesOut) return `${name} takes ${row.most} words, not ${given}`;
    if (given < row.required && !leavesOut) return `${name} takes at least ${row.required} words, not ${given}`;
    return null;
  }

  test('are commands with flags and arguments that they take', () => {
    const lines = CODE.flatMap(({ place, text, isWhole }) => {
      const [, command] = /^(?:npx )?assay(?: (.+))?$/s.exec(text) ?? [];
      return command === undefined ? [] : [{ place, command, isWhole }];
    });
    assert.ok(lines.length > 60, `only ${lines.length} were found`);
    const faults = lines.flatMap(({ place, command, isWhole }) => {
      const fault = faultOf(wordsOf(command), isWhole);
      return fault === null ? [] : [`${place}: assay ${command}: ${fault}`];
    });
    assert.deepEqual(faults, []);
  });

  test('are scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Readonly<Record<string, string>>;
    };
    const named = CODE.flatMap(({ place, text }) =>
      [...text.matchAll(/npm (?:run ([a-z:]+)|(test|start)\b)/g)].map((found) => ({
        place,
        name: found[1] ?? found[2] ?? '',
      })),
    );
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter(({ name }) => !Object.hasOwn(scripts, name)),
      [],
    );
  });

  test('a command that is not there, a wrong flag and a word too many are noticed', () => {
    assert.match(faultOf(['publsh'], true) ?? '', /no command publsh/);
    assert.match(faultOf(['gc', '--dryrun'], true) ?? '', /gc has no --dryrun/);
    assert.match(faultOf(['versions', 'silver', 'gold'], true) ?? '', /versions takes 1/);
    assert.match(faultOf(['gc', '--set', 'retention.age=1'], true) ?? '', /no setting/);
    assert.equal(faultOf(['run', 'shop', '--date', '2025-01-02', '--env', 'sandbox'], true), null);
  });
});

const isKnownSetting = (key: string): boolean => isSettingKey(key) || Object.hasOwn(KEY_GROUPS, key);

describe('what the documentation names', () => {
  test('as a setting is one', () => {
    const sections = new Set(settingKeys().map((key) => key.split('.')[0]));
    const named = CODE.filter(({ isWhole }) => !isWhole).flatMap(({ place, text }) => {
      const [, key = ''] = /^([a-z_]+(?:\.[a-z_<>]+)+)(?:[:=].*)?$/.exec(text) ?? [];
      return sections.has(key.split('.')[0] ?? '') && !/\.(ts|yml|json|md|db|parquet)$/.test(key)
        ? [{ place, key }]
        : [];
    });
    assert.ok(named.length > 40);
    const layers = ['silver', 'dims', 'enriched', 'gold'];
    const unknown = named.filter(({ key }) => {
      const keys = key.includes('<layer>') ? layers.map((layer) => key.replace('<layer>', layer)) : [key];
      return !keys.every(isKnownSetting);
    });
    assert.deepEqual(unknown, []);
  });

  test('as a variable of the environment is one', () => {
    const known = new Set<string>([
      ...[...settingKeys(), ...Object.keys(KEY_GROUPS)].map(variableName),
      ...Object.values(SETTING_KEYS).flatMap((one): readonly string[] =>
        'variables' in one ? (one.variables ?? []) : [],
      ),
      // Of the tests that need outside servers.
      'ASSAY_CLOUD_CACHE',
      'ASSAY_REAL_GCS_ENDPOINT',
      'ASSAY_REAL_BIGQUERY_ENDPOINT',
      'ASSAY_PROJECT',
    ]);
    const named = CODE.flatMap(({ place, text }) =>
      [...text.matchAll(/\bASSAY_[A-Z_]+[A-Z]\b/g)].map(([name]) => ({ place, name })),
    );
    assert.ok(named.length > 3);
    assert.deepEqual(
      named.filter(({ name }) => !known.has(name)),
      [],
    );
  });

  test('as an address of the API is served', async () => {
    const document = (await (await createWorld().request('/openapi.json')).json()) as {
      paths: Readonly<Record<string, unknown>>;
    };
    const shape = (path: string): string => path.replaceAll(/\{[^}]*\}|<[^>]*>|~|ecom_[a-z_]+/g, '*');
    const served = new Set(Object.keys(document.paths).map(shape));
    const page = readFileSync(join(ROOT, 'docs/reference/http-api.md'), 'utf8');
    const ours = page.slice(page.indexOf('## Ours'), page.indexOf('### Queries'));
    const listed = [...ours.matchAll(/^\| `(?:GET|POST) (\/[^`]+?)`/gm)].map(([, path = '']) => `/api/assay/v1${path}`);
    const typed = CODE.flatMap(({ text }) =>
      [...text.matchAll(/\/api\/(?:v2|assay\/v1)\/[A-Za-z0-9_/{}<>~-]+/g)].map(([path]) => path.replace(/\/$/, '')),
    );
    assert.ok(listed.length > 5 && typed.length > 3);
    const each = [...listed.flatMap(variants), ...typed].map(shape);
    assert.deepEqual(
      each.filter((path) => !served.has(path)),
      [],
    );
  });

  test('as a link leads somewhere', () => {
    const broken: string[] = [];
    for (const page of PAGES) {
      const text = readFileSync(join(ROOT, page), 'utf8');
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
        const isThere = existsSync(file) && (anchor === undefined || anchorsOf(file).has(anchor));
        if (!isThere || relative(ROOT, file).startsWith('..')) broken.push(`${page}: ${target}`);
      }
    }
    assert.deepEqual(broken, []);
  });
});

/** `/runs/{run}/reports[/{name}]` -> both; `{silver|gold}` is one place. */
function variants(path: string): readonly string[] {
  const [, before = '', optional, after = ''] = /^(.*?)\[(.*?)\](.*)$/.exec(path) ?? [];
  return optional === undefined ? [path] : [before + after, before + optional + after];
}

/** As GitHub makes them of headings. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}
