// Bundles the GraphiQL page into ../api/assets/graphiql, from where the server embeds it.
//   node build.mjs           writes the files
//   node build.mjs --check   writes nothing; exits 1 and names the files that differ from the committed ones
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const target = join(root, '../api/assets/graphiql');

const trimStyles = {
  name: 'trim-styles',
  setup({ onLoad }) {
    // graphiql/style.css holds Monaco's styles already.
    onLoad({ filter: /monaco-editor.*\.css$/ }, () => ({ contents: '', loader: 'css' }));
    // It holds two fonts for seven scripts too. Latin is kept; other letters fall back to the system's fonts.
    onLoad({ filter: /graphiql\/dist\/style\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/@font-face\s*\{[^}]*\}/g, face =>
        /unicode-range/.test(face) && !/U\+0000-00FF/.test(face) ? '' : face,
      ),
      loader: 'css',
    }));
  },
};

/** The package folders, below node_modules, of all that went into the bundle. */
function bundledPackages({ outputs }) {
  const inputs = Object.values(outputs).flatMap(output => Object.keys(output.inputs));
  const folders = inputs.map(input => input.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
  return [...new Set(folders)].filter(Boolean).sort();
}

/** One line a package, then each licence text once, with the packages that it belongs to. */
function licences(metafile) {
  const texts = new Map();
  const lines = bundledPackages(metafile).map(folder => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json')));
    for (const file of readdirSync(join(root, folder)).sort()) {
      if (!/^(licen[cs]e|notice|thirdpartynotices)/i.test(file)) continue;
      const text = readFileSync(join(root, folder, file), 'utf8').replace(/\r\n/g, '\n').trim();
      texts.set(text, [...(texts.get(text) ?? []), `${name} ${version}`]);
    }
    return `${name} ${version}: ${license}`;
  });
  const rule = '-'.repeat(80);
  return [
    'Packages in this bundle: version and licence (SPDX).',
    '',
    ...lines,
    'Fonts within graphiql: Roboto (Apache-2.0), Fira Code (OFL-1.1), codicon (CC-BY-4.0)',
    ...[...texts].map(([text, owners]) => `\n${rule}\n${owners.join(', ')}\n${rule}\n${text}`),
    '',
  ].join('\n');
}

// GNU gzip gives the same bytes everywhere, which zlib builds do not promise; -n leaves out name and time.
const gzip = input => execFileSync('gzip', ['-9', '-n', '-c'], { input, maxBuffer: 1 << 26 });

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: {
    main: 'src/main.jsx',
    'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
    'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
    'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
  },
  outdir: 'out', // names the outputs; nothing is written there
  write: false,
  metafile: true,
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  legalComments: 'none', // LICENSES.txt has them
  plugins: [trimStyles],
});

const files = new Map([
  ['index.html', readFileSync(join(root, 'src/index.html'))],
  ['LICENSES.txt', Buffer.from(licences(metafile))],
  ['favicon.svg.gz', gzip(readFileSync(join(root, 'src/favicon.svg')))],
  ...outputFiles.map(({ path, contents }) => [`${basename(path)}.gz`, gzip(contents)]),
]);

if (process.argv.includes('--check')) {
  const committed = existsSync(target) ? readdirSync(target) : [];
  const differing = [...new Set([...files.keys(), ...committed])]
    .filter(name => !committed.includes(name) || !files.get(name)?.equals(readFileSync(join(target, name))))
    .sort();
  for (const name of differing) console.error(`differs from a fresh build: api/assets/graphiql/${name}`);
  process.exit(differing.length ? 1 : 0);
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const [name, contents] of files) writeFileSync(join(target, name), contents);
