// What kind of figures a file has, by the columns in its header that the other kind does not have.
import type { PredictionKind } from '../api/graphql';

const ONLY: Record<PredictionKind, readonly string[]> = {
  ANNUAL: ['net_income_margin', 'ebit_to_interest_expense', 'return_on_assets'],
  QUARTERLY: ['sga_margin', 'return_on_capital'],
};

/** Of the cells of a header: the kind that has most of its own columns there. */
export function kindOf(cells: readonly string[]): PredictionKind | undefined {
  const names = cells.map(cell => cell.trim().replace(/^"|"$/g, '').trim().toLowerCase());
  const found = (kind: PredictionKind) => ONLY[kind].filter(name => names.includes(name)).length;
  const [annual, quarterly] = [found('ANNUAL'), found('QUARTERLY')];
  return annual === quarterly ? undefined : annual > quarterly ? 'ANNUAL' : 'QUARTERLY';
}

/** A guess from the beginning of a file of text; of a workbook none, as it is packed. */
export async function guessed(file: File): Promise<PredictionKind | undefined> {
  if (/\.xlsx$/i.test(file.name)) return undefined;
  const text = await file.slice(0, 64 * 1024).text();
  const header = text.replace(/^\uFEFF/, '').split(/\r?\n/).find(line => line.trim()) ?? '';
  return kindOf(header.split(/[,;\t]/));
}
