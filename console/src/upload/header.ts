// The header of a file that was chosen, read from its beginning before it is sent.

/** How much of a file of text is looked at, in bytes. */
const BEGINNING = 64 * 1024;

/** The cells of the header; undefined where the file cannot be read here. */
export async function headerOf(file: File): Promise<string[] | undefined> {
  try {
    if (/\.xlsx$/i.test(file.name)) {
      const { firstRow } = await import('./workbook');
      return await firstRow(file);
    }
    const text = await file.slice(0, BEGINNING).text();
    const header = text.replace(/^\uFEFF/, '').split(/\r?\n/).find(line => line.trim()) ?? '';
    return header.split(/[,;\t]/);
  } catch {
    return undefined;
  }
}
