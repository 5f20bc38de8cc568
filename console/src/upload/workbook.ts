// The first row of an Excel workbook, read in the browser: an .xlsx file is a zip archive of XML. Whatever is not as expected
// throws, as the server has the last word about a file anyway.

/** What a central directory says of a file in the archive. */
interface Entry {
  readonly method: number;
  readonly size: number;
  readonly at: number;
}

/** The end of the archive's directory is within so many bytes of its end: its own 22, and a remark. */
const END_WITHIN = 22 + 65_535;
/** How much of a part is unpacked at most, in characters: what a header stands in comes first. */
const MOST = 16 * 1024 * 1024;

const view = async (file: File, from: number, to: number): Promise<DataView> => new DataView(await file.slice(from, to).arrayBuffer());

/** What is in the archive, by its names. */
async function directory(file: File): Promise<Map<string, Entry>> {
  const from = Math.max(0, file.size - END_WITHIN);
  const end = await view(file, from, file.size);
  let at = end.byteLength - 22;
  while (at >= 0 && end.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw new Error('not a zip archive');
  const length = end.getUint32(at + 12, true);
  const start = end.getUint32(at + 16, true);
  const list = await view(file, start, start + length);
  const entries = new Map<string, Entry>();
  for (let at = 0; at + 46 <= list.byteLength && list.getUint32(at, true) === 0x02014b50; ) {
    const [name, extra, remark] = [28, 30, 32].map(place => list.getUint16(at + place, true)) as [number, number, number];
    const text = new TextDecoder().decode(new Uint8Array(list.buffer, at + 46, name));
    entries.set(text, { method: list.getUint16(at + 10, true), size: list.getUint32(at + 20, true), at: list.getUint32(at + 42, true) });
    at += 46 + name + extra + remark;
  }
  return entries;
}

/** Unpacks a part until `isEnough` says so of what there is by then. */
async function unpack(file: File, entry: Entry | undefined, isEnough: (text: string) => boolean): Promise<string> {
  if (!entry) throw new Error('a part of the workbook is missing');
  const head = await view(file, entry.at, entry.at + 30);
  const start = entry.at + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = file.slice(start, start + entry.size).stream();
  const bytes = entry.method === 0 ? packed : packed.pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = bytes.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  // It is looked at when it is twice as much as before: else a long text would be searched again and again.
  let next = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
    if (text.length > MOST) throw new Error('too large to look for a header in it');
    if (text.length < next) continue;
    next = text.length * 2;
    if (!isEnough(text)) continue;
    await reader.cancel();
    return text;
  }
}

const whole = (): boolean => false;

function xml(text: string): Document {
  const document = new DOMParser().parseFromString(text, 'text/xml');
  if (document.querySelector('parsererror')) throw new Error('not XML');
  return document;
}

/** Elements by their names, whatever their namespaces are called. */
const elements = (of: Document | Element, name: string): Element[] => [...of.getElementsByTagNameNS('*', name)];

/** The part of the first sheet that is not hidden. */
async function firstSheet(file: File, parts: Map<string, Entry>): Promise<Entry | undefined> {
  const workbook = xml(await unpack(file, parts.get('xl/workbook.xml'), whole));
  const sheet = elements(workbook, 'sheet').find(sheet => !/hidden/i.test(sheet.getAttribute('state') ?? ''));
  const id = [...(sheet?.attributes ?? [])].find(({ localName, prefix }) => localName === 'id' && prefix)?.value;
  const relations = xml(await unpack(file, parts.get('xl/_rels/workbook.xml.rels'), whole));
  const target = elements(relations, 'Relationship').find(relation => relation.getAttribute('Id') === id)?.getAttribute('Target') ?? '';
  return parts.get(target.startsWith('/') ? target.slice(1) : `xl/${target}`);
}

/** A text without what only says how it is spoken. */
function textOf(of: Element): string {
  const spoken = elements(of, 'rPh');
  return elements(of, 't')
    .filter(text => !spoken.some(part => part.contains(text)))
    .map(text => text.textContent)
    .join('');
}

/** A piece of XML that was cut out of a document, as one of its own. */
const piece = (text: string): Document => xml(`<piece>${text.replace(/(<\/?)[\w.-]+:/g, '$1').replace(/\s[\w.-]+:[\w.-]+="[^"]*"/g, '')}</piece>`);

const ROW = /<(?:[\w.-]+:)?row\b[^>]*(?<!\/)>([^]*?)<\/(?:[\w.-]+:)?row>/g;
const STRING = /<(?:[\w.-]+:)?si\b[^>]*?(?:\/>|>[^]*?<\/(?:[\w.-]+:)?si>)/g;

/** Of the texts that cells share those up to a place. */
async function shared(file: File, parts: Map<string, Entry>, most: number): Promise<string[]> {
  const name = [...parts.keys()].find(name => /^xl\/sharedStrings\.xml$/i.test(name)) ?? '';
  const text = await unpack(file, parts.get(name), text => (text.match(STRING)?.length ?? 0) > most);
  return (text.match(STRING) ?? []).slice(0, most + 1).map(found => textOf(piece(found).documentElement));
}

interface Cell {
  readonly text: string;
  /** Its text is the one at this place of those that cells share. */
  readonly place: number | undefined;
}

function cellsOf(row: string): Cell[] {
  return elements(piece(row), 'c').map(cell => {
    const value = elements(cell, 'v')[0]?.textContent ?? '';
    if (cell.getAttribute('t') === 's') return { text: '', place: Number(value) };
    return { text: cell.getAttribute('t') === 'inlineStr' ? textOf(cell) : value, place: undefined };
  });
}

const isFilled = ({ text, place }: Cell): boolean => place !== undefined || text.trim() !== '';

/** The cells of the first row that is not empty, of the first sheet that is shown. Throws where that cannot be read. */
export async function firstRow(file: File): Promise<string[]> {
  const parts = await directory(file);
  const filled = (text: string) => [...text.matchAll(ROW)].map(([, row = '']) => cellsOf(row)).find(cells => cells.some(isFilled));
  const sheet = await unpack(file, await firstSheet(file, parts), text => filled(text) !== undefined);
  const cells = filled(sheet) ?? [];
  const most = Math.max(-1, ...cells.map(({ place }) => place ?? -1));
  const texts = most < 0 ? [] : await shared(file, parts, most);
  return cells.map(({ text, place }) => (place === undefined ? text : (texts[place] ?? '')));
}
