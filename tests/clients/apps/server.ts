// The server that the tests talk to, and files for it.
import { randomUUID } from 'node:crypto';

const base = process.env['JOBLINK_URL'];
if (!base) throw new Error('JOBLINK_URL says where the server is: http://127.0.0.1:PORT');

export const url = new URL('/graphql', base).href;
export const socketUrl = url.replace(/^http/, 'ws');

/** A name that nothing else on the server has. */
export const unique = (): string => `t${randomUUID().replaceAll('-', '').slice(0, 12)}`;

/** Rows of quarterly figures, each of another company. */
export function file(name: string, rows: number): File {
  const header = 'company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital';
  const prefix = unique().toUpperCase();
  const lines = Array.from({ length: rows }, (_, row) => `${prefix}${row},Company ${row},Energy,1000000,2024,Q1,3.1,20.5,40.7,${row % 30}`);
  return new File([[header, ...lines].join('\n')], name, { type: 'text/csv' });
}

/** The four ways in which clients leave out or give a flag. */
export const FORMS: readonly { readonly given: { deletePredictions?: boolean | null }; readonly deleted: boolean }[] = [
  { given: {}, deleted: false },
  { given: { deletePredictions: null }, deleted: false },
  { given: { deletePredictions: false }, deleted: false },
  { given: { deletePredictions: true }, deleted: true },
];

/** Fails rather than waits for ever. */
export async function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
