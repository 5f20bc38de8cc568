// A release alone may break clients, and its changelog says how. The baseline is the schema of the last release.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { breaking, unannounced } from './changes.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const [schema, baseline, changelog] = [read('schema.graphql'), read('tests/schema-baseline.graphql'), read('CHANGELOG.md')];

test('every breaking change of the schema is named in CHANGELOG.md', async () => {
  const missing = await unannounced(baseline, schema, changelog);
  const told = missing.map(({ path, message }) => `\`${path}\`: ${message}`);
  assert.deepEqual(told, [], 'name these paths, in backquotes, under "## [Unreleased]", "### Breaking" of CHANGELOG.md');
});

const PLANTED: readonly { readonly path: string; readonly from: RegExp; readonly to: string }[] = [
  { path: 'Job.fileSize', from: /\t"""\n\tThe file's size in bytes\.\n\t"""\n\tfileSize: ByteCount\n/, to: '' },
  { path: 'Job.fileName', from: /fileName: String!\n(?=\t"""\n\tThe file's size)/, to: 'fileName: String\n' },
  { path: 'JobStatus.CANCELLED', from: /\t"""\n\tStopped\.\n\t"""\n\tCANCELLED\n/, to: '' },
  { path: 'Mutation.holdJob.because', from: /reason: String!\n\t\): HoldJobPayload/, to: 'reason: String!, because: String!\n\t): HoldJobPayload' },
  { path: 'JobExpectation.kind', from: /predictions: Int!\n}/, to: 'predictions: Int!\n\tkind: PredictionKind!\n}' },
];

const CHANGELOG = '# Changelog\n\n## [Unreleased]\n\n### Added\n- `LINE`\n\n### Breaking\n- something else\n\n## [0.0.1]\n\n### Breaking\n- `LINE`\n';

for (const { path, from, to } of PLANTED) {
  test(`a planted breaking change is caught until the changelog names it: ${path}`, async () => {
    const changed = schema.replace(from, to);
    assert.notEqual(changed, schema, 'the change could not be planted');
    assert.deepEqual((await breaking(schema, changed)).map(change => change.path), [path]);
    // Neither another section nor an older release counts.
    const silent = CHANGELOG.replaceAll('LINE', path);
    assert.equal((await unannounced(schema, changed, silent)).length, 1);
    const telling = silent.replace('something else', `\`${path}\` is another one`);
    assert.deepEqual(await unannounced(schema, changed, telling), []);
  });
}

test('what is only added breaks nobody', async () => {
  const more = schema.replace('type Viewer {', 'type Viewer {\n\t"""\n\tMore.\n\t"""\n\tmore: Int\n');
  assert.notEqual(more, schema);
  assert.deepEqual(await breaking(schema, more), []);
});
