// Makes what the tests import: Relay's artifacts and the types of graphql-codegen. `npm run generate`.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import { preset } from '@graphql-codegen/client-preset';
import { buildSchema, extendSchema, parse } from 'graphql';
import relayCompiler from 'relay-compiler';
import { WAYS, connections, moduleOf, moduleText } from './relay/connections.ts';

const here = import.meta.dirname;
const sdl = readFileSync(join(here, '../../schema.graphql'), 'utf8');
const schema = buildSchema(sdl);
/** How the contract's own scalars travel in JSON; an upload never does. */
const scalars = { ByteCount: 'number', DateTime: 'string', Decimal: 'string', Duration: 'string', Upload: 'Blob' };

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Runs relay-compiler over operations on every connection, and looks whether it took each for one. */
function relay(): string[] {
  const [modules, artifacts] = [join(here, 'relay/connections'), join(here, 'relay/artifacts')];
  for (const folder of [modules, artifacts]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  const all = connections(schema).flatMap(connection => WAYS.map(way => ({ connection, way })));
  for (const { connection, way } of all) {
    write(join(modules, `${moduleOf(connection, way)}.ts`), moduleText(schema, connection, way));
  }
  const config = {
    src: 'relay',
    schema: '../../schema.graphql',
    artifactDirectory: 'relay/artifacts',
    language: 'typescript',
    eagerEsModules: true,
    useImportTypeSyntax: true,
    noFutureProofEnums: true,
    customScalarTypes: scalars,
  };
  write(join(here, 'generated/relay.json'), JSON.stringify(config));
  execFileSync(relayCompiler, ['generated/relay.json'], { cwd: here, stdio: 'inherit' });
  for (const { connection, way } of all) {
    const artifact = join(artifacts, `${moduleOf(connection, way)}Query.graphql.ts`);
    const taken = existsSync(artifact) && readFileSync(artifact, 'utf8').includes('"handle": "connection"');
    if (!taken) throw new Error(`relay-compiler did not take ${connection.place} for a connection`);
  }
  console.log(`relay-compiler: ${all.length} operations over ${all.length / WAYS.length} connections`);
  const sources = [join(here, 'relay/jobs.ts'), ...readdirSync(modules).map(name => join(modules, name))];
  return sources.flatMap(file => [...readFileSync(file, 'utf8').matchAll(/graphql`([^`]*)`/g)].map(match => match[1] ?? ''));
}

/** Runs graphql-codegen over the same operations and those of the other clients. */
async function types(relayOperations: string[]): Promise<void> {
  // relay-compiler knows its own directives; to others they are a part of the schema.
  const directives = readFileSync(join(here, 'node_modules/relay-compiler/relay-extensions.graphql'), 'utf8');
  const extended = extendSchema(schema, parse(directives), { assumeValidSDL: true });
  const own = readdirSync(join(here, 'operations')).map(name => readFileSync(join(here, 'operations', name), 'utf8'));
  const generate = async (folder: string, texts: string[], of: typeof schema, text: string): Promise<void> => {
    const outputs = await preset.buildGeneratesSection({
      baseOutputDir: `generated/${folder}/`,
      schema: parse(text),
      schemaAst: of,
      documents: texts.map((text, index) => ({ location: `${index}.graphql`, document: parse(text), rawSDL: text })),
      config: { scalars: { ...scalars, RelayResolverValue: 'unknown' }, strictScalars: true, useTypeImports: true, enumsAsTypes: true },
      presetConfig: { fragmentMasking: false },
      plugins: [],
      pluginMap: {},
      pluginContext: {},
      documentTransforms: [],
    });
    for (const output of outputs) write(join(here, output.filename), await codegen(output));
  };
  await generate('clients', own, schema, sdl);
  await generate('relay', relayOperations, extended, `${sdl}\n${directives}`);
  console.log(`graphql-codegen: ${own.length + relayOperations.length} documents`);
}

await types(relay());
