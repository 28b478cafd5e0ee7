/** Laws of graphs, specs and fingerprints, over arbitrary ones. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CycleError } from '../../core/errors.ts';
import type { Spec } from '../../core/spec.ts';
import { compileDags } from '../../dags/compile-dag.ts';
import { ancestors, findCycle, topologicalOrder, type Upstream } from '../../dags/graph.ts';
import fc from '../fixtures-support/properties.ts';
import { specOf } from '../fixtures-support/spec-folder.ts';

/** Any graph of up to eight names; edges may form circles. */
const anyGraph = fc
  .integer({ min: 1, max: 8 })
  .chain((size) =>
    fc.array(fc.array(fc.integer({ min: 0, max: size - 1 }), { maxLength: 3 }), { minLength: size, maxLength: size }),
  )
  .map((edges): Upstream => new Map(edges.map((needed, index) => [`n${index}`, needed.map((other) => `n${other}`)])));

/** Tables t0, t1, …; each may refer to earlier ones, so foreign keys never form a circle. */
const tables = fc.integer({ min: 1, max: 5 }).chain((size) =>
  fc.tuple(
    ...Array.from({ length: size }, (_, index) =>
      fc.record({
        parents: fc.subarray(Array.from({ length: index }, (_unused, parent) => parent)),
        type: fc.constantFrom('string', 'int64', 'date', 'decimal(9,2)'),
        sla: fc.constantFrom(0.5, 0.9, 1),
      }),
    ),
  ),
);

type DrawnTable = { readonly parents: readonly number[]; readonly type: string; readonly sla: number };

/** The same tables as YAML in one of many spellings: order of keys, comments, block or flow style. */
function yamlOf(drawn: readonly DrawnTable[], pick: (choices: number) => number): string {
  const lines = drawn.map((table, index) => {
    const parts = [
      'primary_key: [id]',
      `columns: [${[...keyColumns(table), `{name: value, type: "${table.type}"}`].join(', ')}]`,
      `foreign_keys: [${table.parents.map((parent) => `{column: p${parent}_id, references: t${parent}.id}`).join(', ')}]`,
      `quality: {sla: ${table.sla}}`,
    ];
    const ordered = pick(2) === 0 ? parts : [...parts].reverse();
    const comment = pick(2) === 0 ? '' : '    # a table\n';
    if (pick(2) === 0) return `${comment}    - {name: t${index}, ${ordered.join(', ')}}\n`;
    return `${comment}    - name: "t${index}"\n${ordered.map((part) => `      ${part}\n`).join('')}`;
  });
  return `base_silver:\n  tables:\n${lines.join('')}`;
}

const keyColumns = (table: DrawnTable) =>
  ['id', ...table.parents.map((parent) => `p${parent}_id`)].map((name) => `{name: ${name}}`);

/** A choice that is made anew at each call, from a drawn number. */
function chooser(seed: number): (choices: number) => number {
  let state = seed >>> 0;
  return (choices) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) % choices;
  };
}

describe('an order', () => {
  test('has every name once, each after what it needs; where there is none, the circle is real', () => {
    fc.assert(
      fc.property(anyGraph, (upstream) => {
        const cycle = findCycle(upstream);
        if (cycle) {
          assert.equal(cycle[0], cycle.at(-1));
          assert.ok(cycle.length >= 2);
          for (const [index, name] of cycle.slice(0, -1).entries())
            assert.ok(upstream.get(name)?.includes(cycle[index + 1] ?? ''));
          assert.throws(() => topologicalOrder(upstream, 'names'), CycleError);
          return;
        }
        const order = topologicalOrder(upstream, 'names');
        assert.deepEqual([...order].sort(), [...upstream.keys()].sort());
        for (const [name, needed] of upstream)
          for (const other of needed) assert.ok(order.indexOf(other) < order.indexOf(name));
        for (const name of order) assert.ok(!ancestors(name, upstream).has(name));
      }),
    );
  });

  test('that is declared in order stays as declared', () => {
    fc.assert(
      fc.property(anyGraph, (upstream) => {
        const forward = new Map(
          [...upstream].map(([name, needed], index) => [
            name,
            needed.filter((other) => Number(other.slice(1)) < index),
          ]),
        );
        assert.deepEqual(topologicalOrder(forward, 'names'), [...forward.keys()]);
      }),
    );
  });

  test('of a chain of ten thousand is found without running out of stack', () => {
    const chain = new Map(Array.from({ length: 10_000 }, (_, index) => [`n${index}`, [`n${index + 1}`]]));
    assert.equal(topologicalOrder(chain, 'names').at(0), 'n9999');
  });
});

describe('a spec', () => {
  test('has the same fingerprint however it is spelt, and another one when a table changes', async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.nat(), fc.nat(), async (drawn, first, second) => {
        const one = await specOf({ 'a.yml': yamlOf(drawn, chooser(first)) });
        const other = await specOf({ 'a.yml': yamlOf(drawn, chooser(second)) });
        assert.equal(one.fingerprint, other.fingerprint);
        const changed = drawn.map((table, index) => (index === 0 ? { ...table, sla: 0.25 } : table));
        assert.notEqual((await specOf({ 'a.yml': yamlOf(changed, chooser(first)) })).fingerprint, one.fingerprint);
      }),
      { numRuns: 40 },
    );
  });

  test('to text and back is the same spec, and compiles to the same DAGs, whose edges all go forward', async () => {
    await fc.assert(
      fc.asyncProperty(tables, fc.nat(), async (drawn, seed) => {
        const spec = await specOf({ 'a.yml': yamlOf(drawn, chooser(seed)) });
        const again = JSON.parse(JSON.stringify(spec)) as Spec;
        assert.deepEqual(again, spec);
        const dags = compileDags(spec);
        assert.deepEqual(compileDags(again), dags);
        for (const dag of dags) {
          const seen = new Set<string>();
          for (const task of dag.tasks) {
            for (const needed of task.upstream) assert.ok(seen.has(needed), `${task.id} before ${needed}`);
            assert.ok(!seen.has(task.id));
            seen.add(task.id);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
