/** The text of config.yml -> its values by dotted key, each with the place where it stands. */
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';

export interface ConfigEntry {
  /** Below `environments.<name>`; null for what holds in all of them. */
  readonly environment: string | null;
  /** `lake.base_path` */
  readonly key: string;
  readonly value: unknown;
  /** `config/config.yml:12:3` */
  readonly place: string;
}

export interface ConfigFile {
  readonly entries: readonly ConfigEntry[];
  /** What is wrong with the text itself, with its place. */
  readonly faults: readonly string[];
}

/** A key without a value counts as not set. An empty file sets nothing. */
export function parseConfigFile(text: string, file: string): ConfigFile {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const faults = [...document.errors, ...document.warnings].map((fault) => `${place(fault.pos[0])}: ${fault.message}`);
  const root = document.contents;
  if (faults.length > 0 || root === null) return { entries: [], faults };
  if (!isMap(root)) return { entries: [], faults: [`${place(root.range?.[0] ?? 0)}: the file is no mapping of keys`] };

  const entries: ConfigEntry[] = [];
  const walk = (node: Node, path: readonly string[], at: string): void => {
    if (isMap(node)) {
      for (const pair of node.items) {
        const key = isScalar(pair.key) ? String(pair.key.value) : '?';
        const keyAt = isScalar(pair.key) ? place(pair.key.range?.[0] ?? 0) : at;
        if (pair.value !== null) walk(pair.value as Node, [...path, key], keyAt);
      }
      return;
    }
    const value: unknown = isScalar(node) ? node.value : node.toJS(document);
    if (value === null || path.length === 0) return;
    const isScoped = path[0] === 'environments' && path.length > 1;
    entries.push({
      environment: isScoped ? (path[1] ?? null) : null,
      key: (isScoped ? path.slice(2) : path).join('.'),
      value,
      place: at,
    });
  };
  walk(root, [], file);
  return { entries, faults };
}
