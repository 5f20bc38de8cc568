// Bundles the GraphiQL page into ../api/assets/graphiql, from where the server embeds it.
//   node build.mjs           writes the files
//   node build.mjs --check   writes nothing; exits 1 and names the files that differ from the committed ones
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { deliver, gzip, licences } from '../api/assets/bundle.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const fonts = ['Fonts within graphiql: Roboto (Apache-2.0), Fira Code (OFL-1.1), codicon (CC-BY-4.0)'];

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

const inputs = Object.values(metafile.outputs).flatMap(output => Object.keys(output.inputs));
const files = new Map([
  ['index.html', readFileSync(join(root, 'src/index.html'))],
  ['LICENSES.txt', Buffer.from(licences(root, inputs, fonts))],
  ['favicon.svg.gz', gzip(readFileSync(join(root, 'src/favicon.svg')))],
  ...outputFiles.map(({ path, contents }) => [`${basename(path)}.gz`, gzip(contents)]),
]);

deliver('graphiql', files);
