// Which columns a file needs, as the server reads it, and what kind of figures a header is of.
import type { PredictionKind } from '../api/graphql';

/** What the files of both kinds need. */
export const BOTH = ['company_symbol', 'company_name', 'market_cap', 'sector', 'reporting_year'] as const;

/** What the files of each kind need besides. */
export const OF_KIND: Readonly<Record<PredictionKind, readonly string[]>> = {
  ANNUAL: ['long_term_debt_to_total_capital', 'total_debt_to_ebitda', 'net_income_margin', 'ebit_to_interest_expense', 'return_on_assets'],
  QUARTERLY: ['reporting_quarter', 'total_debt_to_ebitda', 'sga_margin', 'long_term_debt_to_total_capital', 'return_on_capital'],
};

/** Those that tell a kind: the other one neither needs nor takes them. */
const telling = (kind: PredictionKind, other: PredictionKind): string[] =>
  OF_KIND[kind].filter(name => name !== 'reporting_quarter' && !OF_KIND[other].includes(name));

const ONLY = { ANNUAL: telling('ANNUAL', 'QUARTERLY'), QUARTERLY: telling('QUARTERLY', 'ANNUAL') };

/** Of the cells of a header: the kind that has most of its own columns there. */
export function kindOf(cells: readonly string[]): PredictionKind | undefined {
  const names = cells.map(cell => cell.trim().replace(/^"|"$/g, '').trim().toLowerCase());
  const found = (kind: PredictionKind) => ONLY[kind].filter(name => names.includes(name)).length;
  const [annual, quarterly] = [found('ANNUAL'), found('QUARTERLY')];
  return annual === quarterly ? undefined : annual > quarterly ? 'ANNUAL' : 'QUARTERLY';
}

/** The columns that the server found missing, where that is why it refused a file. */
export const missing = (refusal: string): string[] | undefined => / lacks the columns? (.+)\.$/.exec(refusal)?.[1]?.split(', ');
