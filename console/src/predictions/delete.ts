// Deletes single predictions, as many at a time as the server takes, and says of each what became of it.
import type { Client, CombinedError } from 'urql';
import { DeletePredictionsDocument, SelectedPredictionsDocument } from '../api/graphql';
import { chunks } from '../deletion/preview';
import type { PredictionRow } from './columns';

export interface Refused {
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

export interface Outcome {
  readonly deleted: string[];
  /** Deleted before, by somebody else or by an attempt whose answer was lost. */
  readonly gone: string[];
  readonly refused: Refused[];
  /** Why the rest was not even tried, or may or may not have been done. */
  failure: CombinedError | undefined;
}

export interface Found {
  readonly rows: PredictionRow[];
  /** These are no predictions, or no more. */
  readonly gone: string[];
}

/** What is there of these now. Throws urql's error. */
export async function read(client: Client, ids: readonly string[]): Promise<Found> {
  const found: Found = { rows: [], gone: [] };
  for (const page of chunks(ids)) {
    const { data, error } = await client.query(SelectedPredictionsDocument, { ids: page }, { requestPolicy: 'network-only' }).toPromise();
    if (error || !data) throw error ?? new Error('no predictions');
    data.nodes.forEach((node, place) => {
      if (node?.__typename === 'AnnualPrediction' || node?.__typename === 'QuarterlyPrediction') found.rows.push(node);
      else found.gone.push(page[place] ?? '');
    });
  }
  return found;
}

/** Deletes them; `onProgress` is told how many have been dealt with. */
export async function execute(client: Client, ids: readonly string[], onProgress: (done: number) => void): Promise<Outcome> {
  const outcome: Outcome = { deleted: [], gone: [], refused: [], failure: undefined };
  let done = 0;
  for (const page of chunks(ids)) {
    const { data, error } = await client.mutation(DeletePredictionsDocument, { ids: page }).toPromise();
    const payload = data?.deletePredictions;
    if (!payload) {
      outcome.failure = error;
      break;
    }
    outcome.deleted.push(...payload.deletedIds);
    for (const { code, message, field } of payload.userErrors) {
      // `field` is the place in the list; without one it is about all of them.
      const place = field?.[1];
      const refused = place === undefined ? page.filter(id => !payload.deletedIds.includes(id)) : [page[Number(place)] ?? ''];
      if (code === 'NOT_FOUND') outcome.gone.push(...refused);
      else outcome.refused.push(...refused.map(id => ({ id, code, message })));
    }
    done += page.length;
    onProgress(done);
  }
  return outcome;
}
