/** The text of marts/<name>.sql -> a tree like that of a mart in YAML: the header's keys, the name, the query. */
import type { IssueLog } from './issue-log.ts';
import { type MapNode, parseYamlTree, type ScalarNode } from './yaml-tree.ts';

/** What follows the opening word on its line is a remark. */
const HEADER = /^\s*\/\*\s*@assay\b[^\n]*\n([\s\S]*?)@assay\s*\*\//;

/** Null where the header cannot be read; the log then says why. */
export function parseMartFile(text: string, file: string, log: IssueLog): { tree: MapNode | null; complete: boolean } {
  const start = { file, line: 1, column: 1 };
  const header = HEADER.exec(text);
  const yaml = header?.[1];
  if (!header || yaml === undefined) {
    log.error({
      code: 'bad_mart_header',
      at: start,
      message: 'the file does not begin with a header',
      expected: '/* @assay, then YAML (grain, columns, …), then @assay */, then the query',
    });
    return { tree: null, complete: false };
  }
  const yamlStart = header[0].indexOf(yaml);
  const { tree, complete } = parseYamlTree(yaml, file, log, lineOf(text, yamlStart));
  if (!tree) return { tree, complete };

  const rest = text.slice(header[0].length);
  const sqlStart = header[0].length + (rest.length - rest.trimStart().length);
  const lineStart = text.lastIndexOf('\n', sqlStart - 1) + 1;
  const sqlAt = { file, line: lineOf(text, sqlStart), column: sqlStart - lineStart + 1 };
  const entries = new Map(tree.entries);
  const name = file.replace(/^.*\//, '').replace(/\.sql$/, '');
  entries.set('name', { keyAt: start, node: scalar(name, start) });
  entries.set('sql', { keyAt: sqlAt, node: scalar(rest.trim(), sqlAt) });
  return { tree: { ...tree, entries }, complete };
}

/** Marts as a tree that merges with the folder's YAML. */
export function martsTree(marts: readonly MapNode[]): MapNode | null {
  const at = marts[0]?.at;
  if (!at) return null;
  const list = { kind: 'list', at, items: marts } as const;
  const gold: MapNode = { kind: 'map', at, entries: new Map([['marts', { keyAt: at, node: list }]]) };
  return { kind: 'map', at, entries: new Map([['gold', { keyAt: at, node: gold }]]) };
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length;

const scalar = (value: string, at: ScalarNode['at']): ScalarNode => ({ kind: 'scalar', at, value, style: 'file' });
