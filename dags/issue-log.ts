/** Faults as they are found -> SpecIssues with the text of their line, without repeats, in the order of the files. */
import type { SpecIssue } from '../core/errors.ts';
import type { SourceLocation } from '../core/spec.ts';

/** Every code that an issue can have, with what it means; docs/reference/spec-issues.md explains each. */
export const ISSUE_CODES = {
  bad_yaml: 'the text is not YAML',
  tab_indent: 'a line is indented with a tab',
  duplicate_key: 'a key is set twice',
  empty_file: 'the file declares nothing',
  not_a_mapping: 'the file is not a mapping of keys',
  no_files: 'the folder holds no spec',
  unreadable_file: 'the file cannot be read as UTF-8 text',
  bad_mart_header: 'a mart file does not begin with a header',
  bad_variable: 'what stands after a $ is not a variable',
  unset_variable: 'a variable is not set and has no default',
  unknown_key: 'a key that the format does not have',
  missing_key: 'a key that is needed is not there',
  bad_type: 'a value has the wrong type',
  bad_value: 'a value is not one of those that are possible',
  bad_name: 'a name has characters that a name may not have',
  reserved_name: 'a name that Assay uses itself',
  duplicate_name: 'two things have one name',
  overlay_adds: 'an overlay names something that the spec does not have',
  unknown_type: 'a column type that does not exist',
  unknown_table: 'a table that nobody declares',
  unknown_column: 'a column that the table does not have',
  unknown_dag: 'a DAG that nobody declares',
  unknown_task: 'a task that the DAG does not have',
  unknown_transform: 'a built-in transform that does not exist',
  unknown_param: 'an @parameter that nobody declares',
  unknown_setting: 'a setting that no task may ask for',
  type_mismatch: 'a foreign key and its parent have different types',
  not_a_key: 'a foreign key refers to a column that is no key',
  cycle: 'things depend on each other in a circle',
  bad_limit: 'a limit that cannot be read',
  bad_duration: 'a duration that cannot be read',
  bad_cron: 'a cron expression that cannot be read',
  bad_timezone: 'a time zone that does not exist',
  shared_window: 'several ticks of a schedule cover the same day',
  bad_expression: 'an SQL expression that is not GoogleSQL that we support',
  bad_query: 'a mart query that is not GoogleSQL that we support',
  bad_reference: 'a mart reads a table without its layer, or one that it may not read',
  bad_check: 'a check does not say one thing to measure',
  bad_metric: 'a measure or a dimension of a mart that cannot be asked for',
  bad_warehouse: 'a warehouse option that the table cannot have',
  bad_task: 'a task has keys that its kind does not use, or lacks one that it needs',
  bad_branch: 'a branch does not lead to the task that it names',
  nothing_to_publish: 'a publish task has no build before it',
  missing_input: 'a transform needs an input that is not listed',
  optional_input: 'a transform takes an input that is not listed as empty',
  unused_input: 'a transform does not read an input that is listed',
  missing_file: 'a file that the spec names is not there',
  columns_from_bronze: 'a table takes its columns from bronze',
} as const;

export type IssueCode = keyof typeof ISSUE_CODES;

export interface Fault {
  readonly code: IssueCode;
  readonly at: SourceLocation;
  /** What is wrong, a sentence without a full stop. */
  readonly message: string;
  readonly expected: string;
  /** What to write instead. */
  readonly hint?: string | null;
}

export class IssueLog {
  readonly #linesByFile: ReadonlyMap<string, readonly string[]>;
  readonly #issues = new Map<string, SpecIssue>();

  /** `linesByFile` may be filled while the log is in use. */
  constructor(linesByFile: ReadonlyMap<string, readonly string[]>) {
    this.#linesByFile = linesByFile;
  }

  error(fault: Fault): void {
    this.#add('error', fault);
  }

  warning(fault: Fault): void {
    this.#add('warning', fault);
  }

  info(fault: Fault): void {
    this.#add('info', fault);
  }

  get hasErrors(): boolean {
    return [...this.#issues.values()].some((issue) => issue.severity === 'error');
  }

  /** By file, line, column. */
  sorted(): readonly SpecIssue[] {
    return [...this.#issues.values()].sort(
      (a, b) =>
        compare(a.location.file, b.location.file) ||
        a.location.line - b.location.line ||
        a.location.column - b.location.column ||
        compare(a.message, b.message),
    );
  }

  /** The same fault of the same place counts once: an aliased list is checked where it is used. */
  #add(severity: SpecIssue['severity'], { code, at, message, expected, hint }: Fault): void {
    const lineText = this.#linesByFile.get(at.file)?.[at.line - 1] ?? '';
    const key = JSON.stringify([at, code, message]);
    if (this.#issues.has(key)) return;
    this.#issues.set(key, { severity, code, message, expected, hint: hint ?? null, location: at, lineText });
  }
}

/** `did you mean "orders"?`, or null. */
export function meant(suggestion: string | null): string | null {
  return suggestion === null ? null : `did you mean "${suggestion}"?`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
