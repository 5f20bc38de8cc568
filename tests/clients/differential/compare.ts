// Sends the same documents to the server and to graphql-js, and says where they differ.
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { allowed } from './allowances.ts';
import { BREAK_NAMES, broken } from './broken.ts';
import { Random } from './random.ts';
import type { Judged, Reference } from './reference.ts';
import type { Request } from './request.ts';
import { type Pool, request } from './valid.ts';

/** A document on which the two do not agree. */
export interface Difference {
  readonly number: number;
  readonly made: string;
  readonly request: Request;
  readonly why: string;
}

/** What was compared. */
export interface Comparison {
  readonly differences: Difference[];
  readonly counts: Record<string, number>;
}

/** What the server made of a request. */
export interface Answered {
  readonly status: number;
  readonly body: ExecutionResult;
}

/** How the server is asked. */
export interface Server {
  answer(request: Request): Promise<Answered>;
  /** Whether a subscription was taken. */
  subscribe(request: Request): Promise<boolean>;
}

/** Documents made from a seed, with how each was made. */
export function* documents(random: Random, schema: GraphQLSchema, pool: Pool, rounds: number): Generator<{ made: string; request: Request }> {
  for (let round = 0; round < rounds; round += 1) {
    const chance = random.next();
    const kind = chance < 0.8 ? 'query' : chance < 0.95 ? 'mutation' : 'subscription';
    const whole = request(random, schema, pool, kind);
    yield { made: kind, request: whole };
    // Each way to break a document in its turn.
    for (let turn = 0; turn < 2; turn += 1) {
      const what = BREAK_NAMES[(2 * round + turn) % BREAK_NAMES.length] as string;
      const changed = broken(what, whole, random, schema);
      if (changed) yield { made: `${kind}, ${what}`, request: changed };
    }
  }
}

/** Compares all documents of a seed. */
export async function compare(server: Server, reference: Reference, pool: Pool, seed: number, rounds: number): Promise<Comparison> {
  const result: Comparison = { differences: [], counts: { documents: 0, executed: 0, refused: 0, 'beyond a limit': 0, 'with errors': 0 } };
  const { counts } = result;
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
  for (const { made, request } of documents(new Random(seed), reference.schema, pool, rounds)) {
    const number = counts['documents'] ?? 0;
    count('documents');
    const judged = await reference.judge(request);
    const why = await difference(server, request, judged, count);
    if (why && !allowed(request, why)) result.differences.push({ number, made, request, why });
  }
  return result;
}

async function difference(server: Server, request: Request, judged: Judged, count: (what: string) => void): Promise<string | undefined> {
  if (!('refused' in judged) && judged.data === undefined) {
    count('subscribed');
    return (await server.subscribe(request)) ? undefined : 'the server refused a subscription that graphql-js takes';
  }
  const { status, body } = await server.answer(request);
  const codes = (body.errors ?? []).map(error => `${error.extensions?.['code']}`);
  if (codes.includes('QUERY_TOO_COMPLEX')) {
    count('beyond a limit');
    return undefined;
  }
  const messages = JSON.stringify((body.errors ?? []).map(error => [error.message, error.path]));
  if ('refused' in judged) {
    count('refused');
    if ('data' in body) return `the server executed what graphql-js refuses: ${judged.refused}`;
    return status === 400 && codes.length > 0 ? undefined : `the server refused with status ${status}: ${messages}`;
  }
  count('executed');
  if (!('data' in body)) return `the server refused what graphql-js executes: ${messages}`;
  const [is, wanted] = [JSON.stringify(body.data), JSON.stringify(judged.data)];
  if (is !== wanted) return `the data differ:\n  ${apart(is, wanted)}\n  errors ${messages}`;
  const [at, wantedAt] = [places(body.errors ?? [], body.data), places(judged.errors, judged.data)];
  if (judged.errors.length > 0) count('with errors');
  return at === wantedAt ? undefined : `the paths of errors differ:\n  server     ${at} ${messages}\n  graphql-js ${wantedAt}`;
}

/**
 * Where errors stand. One that nulls more than its own field stands where the null is: of several in there one is told
 * (the specification's 6.4.4), and which one depends on what fails first.
 */
function places(errors: readonly { readonly path?: readonly (string | number)[] | undefined }[], data: unknown): string {
  const place = (path: readonly (string | number)[] = []): string => {
    let value = data;
    const passed = path.filter(step => {
      if (value === null || value === undefined) return false;
      value = (value as Record<string, unknown>)[step];
      return true;
    });
    return JSON.stringify(passed);
  };
  return JSON.stringify([...new Set(errors.map(error => place(error.path)))].sort());
}

/** Where two texts begin to differ. */
function apart(server: string, reference: string): string {
  let same = 0;
  while (same < server.length && server[same] === reference[same]) same += 1;
  const around = (text: string): string => text.slice(Math.max(0, same - 200), same + 200);
  return `server     …${around(server)}\n  graphql-js …${around(reference)}`;
}
