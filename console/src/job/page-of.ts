import { BASE } from '../place';

/** The address of a job's page. */
export const pageOf = (id: string): string => `${BASE}/jobs/${encodeURIComponent(id)}`;
