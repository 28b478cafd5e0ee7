/** The JSON Schema that editors read is the one that the reader of specs uses. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { schemaAt, specJsonSchema, specJsonSchemaText, wordsOf } from '../../dags/spec-json-schema.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

const specs = join(packageRoot(), 'specs');

describe('the JSON Schema', () => {
  test('in specs/ is current', () => {
    assert.equal(readFileSync(join(specs, 'spec.schema.json'), 'utf8'), specJsonSchemaText());
  });

  test('is of draft 2020-12 and allows no unknown key at any depth', () => {
    assert.equal(JSON.parse(specJsonSchemaText()).$schema, 'https://json-schema.org/draft/2020-12/schema');
    assert.equal(JSON.parse(specJsonSchemaText()).additionalProperties, false);
    const table = schemaAt(['base_silver', 'tables', 0]) as { additionalProperties?: unknown } | null;
    assert.equal(table?.additionalProperties, false);
  });

  test('offers the words of a choice where it stands', () => {
    assert.deepEqual(wordsOf(schemaAt(['dags', 0, 'schedule', 'window'])), ['previous_day', 'same_day', 'since_last']);
    assert.ok(wordsOf(schemaAt(['base_silver', 'tables', 0, 'columns', 0, 'type'])).includes('timestamp'));
    assert.equal(schemaAt(['base_silver', 'tables', 0, 'nonsense']), null);
  });

  test('explains the sections of a spec', () => {
    for (const section of ['base_silver', 'dims', 'dags', 'params', 'defaults']) {
      assert.ok(specJsonSchema.properties?.[section]?.description, section);
    }
  });
});

test('every YAML file of the specs names the schema by its relative path', () => {
  const files = readdirSync(specs, { recursive: true, encoding: 'utf8' }).filter((file) => /\.ya?ml$/.test(file));
  assert.ok(files.length > 0);
  for (const file of files) {
    const path = relative(dirname(file), 'spec.schema.json').replaceAll('\\', '/');
    const [first] = readFileSync(join(specs, file), 'utf8').split('\n');
    assert.equal(first, `# yaml-language-server: $schema=${path}`, file);
  }
});
