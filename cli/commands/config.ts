/** `assay config show` and `explain`: settings and what set them. */
import { explainSetting, settingKeys } from '../../config/settings.ts';
import { type GlobalFlags, openSettings } from '../project.ts';
import { printJson, printLines, table } from '../terminal.ts';

export async function show(flags: GlobalFlags, options: { readonly json?: boolean }): Promise<void> {
  const settings = await openSettings(flags);
  const rows = settingKeys().map((key) => explainSetting(settings, key));
  if (options.json) printJson(rows);
  else
    printLines(
      table(
        ['key', 'value', 'from'],
        rows.map(({ key, value, origin }) => [key, valueWords(value), origin]),
      ),
    );
}

export async function explain(flags: GlobalFlags, key: string): Promise<void> {
  const { value, origin, overridden, describes, allowed } = explainSetting(await openSettings(flags), key);
  printLines([
    `${key} = ${valueWords(value)}`,
    `  set by   ${origin}`,
    ...overridden.map((source) => `  hides    ${valueWords(source.value)} (${source.origin})`),
    `  meaning  ${describes}`,
    `  allowed  ${allowed}`,
  ]);
}

/** As the reference calls them. */
const valueWords = (value: unknown): string => (value === null ? 'none' : value === '' ? 'empty' : String(value));
