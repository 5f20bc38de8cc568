// What the builds of the pages in this folder share: how their files are packed, and written or compared.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** GNU gzip gives the same bytes everywhere, which zlib builds do not promise; -n leaves out name and time. */
export const gzip = input => execFileSync('gzip', ['-9', '-n', '-c'], { input, maxBuffer: 1 << 26 });

/** The package folders, below node_modules, of the files that went into a bundle. */
const packagesOf = inputs => {
  const folders = inputs.map(input => input.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
  return [...new Set(folders)].filter(Boolean).sort();
};

/** One line a package, then each licence text once, with the packages that it belongs to. */
export function licences(root, inputs, fonts = []) {
  const texts = new Map();
  const lines = packagesOf(inputs).map(folder => {
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
    ...fonts,
    ...[...texts].map(([text, owners]) => `\n${rule}\n${owners.join(', ')}\n${rule}\n${text}`),
    '',
  ].join('\n');
}

/** Writes the files of a page, or with `--check` writes nothing and exits with 1, naming those that differ. */
export function deliver(page, files) {
  const target = join(here, page);
  if (process.argv.includes('--check')) {
    const committed = existsSync(target) ? readdirSync(target) : [];
    const differing = [...new Set([...files.keys(), ...committed])]
      .filter(name => !committed.includes(name) || !files.get(name)?.equals(readFileSync(join(target, name))))
      .sort();
    for (const name of differing) console.error(`differs from a fresh build: api/assets/${page}/${name}`);
    process.exit(differing.length ? 1 : 0);
  }
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const [name, contents] of files) writeFileSync(join(target, name), contents);
}
