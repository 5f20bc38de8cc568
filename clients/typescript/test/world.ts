// The servers that the tests talk to, and files for them.
import { randomUUID } from 'node:crypto';
import { Joblink } from 'joblink';

function told(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing: run tests/packages`);
  return value;
}

/** A server without login. */
export const url = told('JOBLINK_URL');
/** A server with login, and tokens of an administrator there and of a member of another organization. */
export const guarded = { url: told('JOBLINK_JWT_URL'), strict: told('JOBLINK_STRICT_URL'), token: told('JOBLINK_TOKEN'), foreign: told('JOBLINK_FOREIGN_TOKEN') };

export const joblink = new Joblink({ url });

/** A name that nothing else on the server has. */
export const unique = (): string => `t${randomUUID().replaceAll('-', '').slice(0, 12)}`;

const HEADER =
  'company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital';

/** Rows of quarterly figures, each of another company, and rows that cannot be stored. */
export function file(rows: number, bad = 0, name = `${unique()}.csv`): File {
  const prefix = unique().toUpperCase();
  const good = Array.from({ length: rows }, (_, row) => `${prefix}${row},Company ${row},Energy,1000000,2024,Q1,3.1,20.5,40.7,${row % 30}`);
  const others = Array.from({ length: bad }, (_, row) => `${prefix}X${row},Company,Energy,1000000,2024,Q1,three,1,2,3`);
  return new File([[HEADER, ...good, ...others, ''].join('\n')], name, { type: 'text/csv' });
}

/** A job that has ended. */
export async function completed(rows: number, bad = 0, client = joblink): Promise<string> {
  const { id } = await client.uploadFile(file(rows, bad), 'QUARTERLY');
  await client.waitFor(id, { signal: AbortSignal.timeout(60_000) });
  return id;
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}

/** Does something many times, a few at a time. */
export async function many<T>(count: number, together: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
  return results;
}
