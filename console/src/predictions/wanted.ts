// Which predictions are wanted, and which page of them: all of it stands in the address.
import type { AnnualPredictionsQueryVariables, LinkSource, PredictionFilter, PredictionKind, RiskLevel } from '../api/graphql';
import { LINK_SOURCES } from '../deletion/preview';
import { KINDS } from '../jobs/wanted';
import { addressOf, BASE } from '../place';
import { isEmpty, known } from '../ui/filter';
import { pageArguments, type Paging, paging, said } from '../ui/paging';
import { capital } from '../ui/text';

export const SOURCES = (Object.keys(LINK_SOURCES) as LinkSource[]).map(value => ({ value, text: capital(LINK_SOURCES[value]) }));

export const LINKS = [
  { value: 'with', text: 'Linked' },
  { value: 'without', text: 'Not linked' },
] as const;
export type Link = (typeof LINKS)[number]['value'];

export const RISKS: readonly { readonly value: RiskLevel; readonly text: string }[] = [
  { value: 'LOW', text: 'Low' },
  { value: 'MEDIUM', text: 'Medium' },
  { value: 'HIGH', text: 'High' },
  { value: 'CRITICAL', text: 'Critical' },
];

export const QUARTERS = (['Q1', 'Q2', 'Q3', 'Q4'] as const).map(value => ({ value, text: value }));
export type Quarter = (typeof QUARTERS)[number]['value'];

export interface Wanted extends Paging {
  readonly kind: PredictionKind;
  readonly link: Link[];
  readonly source: LinkSource[];
  readonly risk: RiskLevel[];
  readonly quarter: Quarter[];
  /** Four digits; empty where it does not matter. */
  readonly year: string;
  /** The id of a company. */
  readonly company: string;
  /** The id of a job. */
  readonly job: string;
  readonly mine: boolean;
}

export const NO_FILTER: Partial<Wanted> = { link: [], source: [], risk: [], quarter: [], year: '', company: '', job: '', mine: false };

export const isYear = (text: string): boolean => /^\d{4}$/.test(text);

export function wanted(query: URLSearchParams): Wanted {
  const year = query.get('year') ?? '';
  return {
    ...paging(query),
    kind: known(KINDS, query.get('kind'))[0] ?? 'ANNUAL',
    link: known(LINKS, query.get('link')).slice(0, 1),
    source: known(SOURCES, query.get('source')),
    risk: known(RISKS, query.get('risk')),
    quarter: known(QUARTERS, query.get('quarter')).slice(0, 1),
    year: isYear(year) ? year : '',
    company: query.get('company') ?? '',
    job: query.get('job') ?? '',
    mine: query.get('mine') === '1',
  };
}

/** The address of a list; what is not said there is as it is at first. */
export const address = (wanted: Wanted): string =>
  addressOf(`${BASE}/predictions`, {
    kind: wanted.kind === 'ANNUAL' ? '' : wanted.kind,
    link: wanted.link.join(),
    source: wanted.source.join(),
    risk: wanted.risk.join(),
    quarter: wanted.quarter.join(),
    year: wanted.year,
    company: wanted.company,
    job: wanted.job,
    mine: wanted.mine ? '1' : '',
    ...said(wanted),
  });

export function filterOf(wanted: Wanted, viewer: string): PredictionFilter | undefined {
  const [link] = wanted.link;
  const filter: PredictionFilter = {
    unlinked: link && link === 'without',
    linkSource: wanted.source.length ? wanted.source : undefined,
    riskLevel: wanted.risk.length ? wanted.risk : undefined,
    reportingQuarter: wanted.quarter[0],
    reportingYear: wanted.year || undefined,
    companyId: wanted.company || undefined,
    jobId: wanted.job || undefined,
    createdBy: wanted.mine ? viewer : undefined,
  };
  return isEmpty(filter) ? undefined : filter;
}

export const variables = (wanted: Wanted, viewer: string): AnnualPredictionsQueryVariables => ({
  ...pageArguments(wanted),
  filter: filterOf(wanted, viewer),
});
