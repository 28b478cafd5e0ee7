/** The zod schema of a spec -> JSON Schema, for editors and for the messages of shape issues. */
import { z } from 'zod';
import { specSchema } from './spec-schema.ts';

export interface JsonSchemaNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly (string | number | boolean)[];
  readonly properties?: { readonly [key: string]: JsonSchemaNode };
  readonly items?: JsonSchemaNode;
  readonly anyOf?: readonly JsonSchemaNode[];
}

/** Draft 2020-12. */
export const specJsonSchema = {
  ...z.toJSONSchema(specSchema, { io: 'input', target: 'draft-2020-12' }),
  title: 'Assay pipeline spec',
  description:
    'One file of a pipeline’s folder below specs/. All files of the folder are one document, merged by top-level key.',
} as JsonSchemaNode;

/** What `assay spec schema` prints and specs/spec.schema.json holds. */
export function specJsonSchemaText(): string {
  return `${JSON.stringify(specJsonSchema, null, 2)}\n`;
}

/** The part of the schema that describes what stands at a path; null where the format has nothing there. */
export function schemaAt(path: readonly PropertyKey[]): JsonSchemaNode | null {
  let node: JsonSchemaNode | undefined = specJsonSchema;
  for (const step of path) {
    const choices: readonly JsonSchemaNode[] = node.anyOf ?? [node];
    node =
      typeof step === 'number'
        ? choices.find((choice) => choice.items)?.items
        : choices.find((choice) => choice.properties?.[String(step)])?.properties?.[String(step)];
    if (!node) return null;
  }
  return node;
}

/** The keys that a mapping at this place may have. */
export function keysOf(node: JsonSchemaNode | null): readonly string[] {
  return (node?.anyOf ?? (node ? [node] : [])).flatMap((choice) => Object.keys(choice.properties ?? {}));
}

/** The words that a value at this place may be. */
export function wordsOf(node: JsonSchemaNode | null): readonly string[] {
  return (node?.anyOf ?? (node ? [node] : [])).flatMap((choice) => choice.enum?.map(String) ?? []);
}
