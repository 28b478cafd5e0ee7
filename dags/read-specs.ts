/** A folder of YAML and mart SQL -> the Spec, or all of its faults at once. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SpecError, type SpecIssue } from '../core/errors.ts';
import type { Spec } from '../core/spec.ts';
import { checkSpec } from './check-spec.ts';
import { type Environment, expandVariables } from './expand-variables.ts';
import { IssueLog } from './issue-log.ts';
import { martsTree, parseMartFile } from './mart-file.ts';
import { EMPTY_TREE, mergeFiles, mergeOverlay } from './merge-trees.ts';
import { modulePath, resolveSpec } from './resolve-spec.ts';
import { shapeSpec } from './shape-issues.ts';
import { isMart, isYaml, readSpecFiles, type SpecFiles } from './spec-files.ts';
import { type MapNode, parseYamlTree } from './yaml-tree.ts';

export interface ReadSpecOptions {
  /** The project root. */
  readonly root: string;
  /** Relative to the root: `specs/ecommerce`. */
  readonly folder: string;
  /** Names the overlay: `overlays/<environment>.yml`. */
  readonly environment: string;
  /** What `${VAR}` stands for. */
  readonly env: Environment;
  /** The folder's files where they have been read already. */
  readonly files?: SpecFiles;
}

export interface ReadSpec {
  readonly spec: Spec;
  /** Warnings and infos. */
  readonly issues: readonly SpecIssue[];
}

/**
 * Reads one pipeline. Nothing is kept between calls; equal files, environment and variables give an equal Spec.
 *
 * @throws SpecError `spec_invalid` with every error, warning and info of all files
 */
export function readSpec(given: ReadSpecOptions): ReadSpec {
  const options = { ...given, folder: given.folder.replace(/^\.\//, '').replace(/\/+$/, '') };
  const linesByFile = new Map<string, readonly string[]>();
  const log = new IssueLog(linesByFile);
  const files = given.files ?? readSpecFiles(options.root, options.folder);
  const source = new SourceFiles(options, files, linesByFile, log);
  const merged = source.merged();
  const shaped = shapeSpec(merged, log);
  const spec = resolveSpec(shaped, options.folder);
  const named = (shaped.raw.enriched_silver?.transforms ?? []).flatMap((transform) => transform.file ?? []);
  const modules = named
    .map((file) => modulePath(options.folder, file))
    .filter((path) => existsSync(join(options.root, path)));
  const unreadWords = new Set([...source.unreadWords, ...shaped.cutWords]);
  checkSpec({
    spec,
    raw: shaped.raw,
    tree: shaped.tree,
    cutKeys: shaped.cutKeys,
    linesByFile,
    log,
    unreadWords,
    modules: new Set(modules),
  });
  if (log.hasErrors) throw new SpecError(log.sorted());
  return { spec, issues: log.sorted() };
}

class SourceFiles {
  readonly unreadWords = new Set<string>();
  readonly #options: ReadSpecOptions;
  readonly #files: SpecFiles;
  readonly #linesByFile: Map<string, readonly string[]>;
  readonly #log: IssueLog;

  constructor(options: ReadSpecOptions, files: SpecFiles, linesByFile: Map<string, readonly string[]>, log: IssueLog) {
    this.#options = options;
    this.#files = files;
    this.#linesByFile = linesByFile;
    this.#log = log;
  }

  /** All files of the folder as one tree, with the environment's overlay on top. */
  merged(): MapNode {
    const { folder, environment } = this.#options;
    const files = this.#files.names;
    const overlays = files.filter((file) => file.startsWith(`${folder}/overlays/`));
    const specFiles = files.filter((file) => isYaml(file) && !overlays.includes(file));
    if (specFiles.length === 0) {
      this.#log.error({
        code: 'no_files',
        at: { file: folder, line: 1, column: 1 },
        message: `${folder} holds no .yml file`,
        expected: 'at least one file that declares base_silver: {tables: […]}',
      });
    }
    const trees: MapNode[] = [];
    for (const file of specFiles) trees.push(...this.#read(file, parseYamlTree));
    const marts: MapNode[] = [];
    for (const file of files.filter((name) => isMart(name, folder))) {
      marts.push(...this.#read(file, parseMartFile));
    }
    let merged = mergeFiles([...trees, ...[martsTree(marts) ?? []].flat()], this.#log);
    const chosen = [`${folder}/overlays/${environment}.yml`, `${folder}/overlays/${environment}.yaml`];
    for (const file of overlays.filter((name) => chosen.includes(name))) {
      for (const overlay of this.#read(file, parseYamlTree)) merged = mergeOverlay(merged, overlay, this.#log);
    }
    return merged.at.file === '' ? { ...EMPTY_TREE, at: { file: folder, line: 1, column: 1 } } : merged;
  }

  /** A file with faults of its own is left out, and its words are remembered: the names in it may be the missing ones. */
  #read(
    file: string,
    parse: (text: string, file: string, log: IssueLog) => { readonly tree: MapNode | null; readonly complete: boolean },
  ): readonly MapNode[] {
    const text = this.#text(file);
    if (text === null) return [];
    const { tree, complete } = parse(text, file, this.#log);
    if (tree && complete) return [expandVariables(tree, this.#options.env, this.#linesByFile, this.#log)];
    this.#rememberWords(text);
    return [];
  }

  #rememberWords(text: string): void {
    for (const word of text.match(/[A-Za-z_][\w-]*/g) ?? []) this.unreadWords.add(word);
  }

  #text(file: string): string | null {
    const bytes = this.#files.contents.get(file);
    try {
      if (bytes === undefined || bytes instanceof Error) throw bytes;
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll('\r\n', '\n');
      this.#linesByFile.set(file, text.split('\n'));
      return text;
    } catch (thrown) {
      if (bytes !== undefined && !(bytes instanceof Error)) this.#rememberWords(new TextDecoder().decode(bytes));
      this.#log.error({
        code: 'unreadable_file',
        at: { file, line: 1, column: 1 },
        message: thrown instanceof TypeError ? `${file} is not UTF-8` : `${file} cannot be read: ${String(thrown)}`,
        expected: 'a readable text file in UTF-8',
      });
      return null;
    }
  }
}
