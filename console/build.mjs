// Bundles the console into ../api/assets/console, from where the server embeds it.
//   node build.mjs           writes the files
//   node build.mjs --check   writes nothing; exits 1 and names the files that differ from the committed ones
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { deliver, gzip, licences } from '../api/assets/bundle.mjs';

const root = dirname(fileURLToPath(import.meta.url));
process.chdir(root);

const { output } = await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { write: false } });
const inputs = output.flatMap(chunk => chunk.moduleIds ?? []).map(id => relative(root, id.replaceAll('\0', '')));
const files = new Map([['LICENSES.txt', Buffer.from(licences(root, inputs))]]);
for (const { fileName, code, source } of output) {
  const contents = Buffer.from(code ?? source);
  const page = fileName.endsWith('.html');
  files.set(page ? basename(fileName) : `${basename(fileName)}.gz`, page ? contents : gzip(contents));
}
deliver('console', files);
