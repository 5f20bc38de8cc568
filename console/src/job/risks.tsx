import { useQuery } from 'urql';
import { AnnualRisksDocument, type AnnualRisksQuery, type PredictionKind, QuarterlyRisksDocument } from '../api/graphql';
import { BOUNDS } from '../predictions/probability';
import { useFresh } from '../server/fresh';
import { counted, number } from '../ui/text';

type Counts = Omit<AnnualRisksQuery, '__typename'>;

/** From which probability on a level is that. */
const LEVELS = [
  { level: 'low', text: 'Low', when: `below ${BOUNDS.medium}%` },
  { level: 'medium', text: 'Medium', when: `from ${BOUNDS.medium}%` },
  { level: 'high', text: 'High', when: `from ${BOUNDS.high}%` },
  { level: 'critical', text: 'Critical', when: `above ${BOUNDS.critical}%` },
] as const;

const percent = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 });

/** How many predictions of a job are at which level of risk: bars, which repeat what the numbers beside them say. */
export function Risks({ id, kind, news }: { id: string; kind: PredictionKind; news: number }) {
  const query = kind === 'ANNUAL' ? AnnualRisksDocument : QuarterlyRisksDocument;
  const [{ data, fetching }, ask] = useQuery<Counts, { id: string }>({ query, variables: { id }, requestPolicy: 'cache-and-network' });
  useFresh(news, fetching, () => ask({ requestPolicy: 'network-only' }));

  const all = data?.all?.totalCount ?? 0;
  if (!data || all === 0) return null;
  const known = LEVELS.map(({ level, ...said }) => ({ level, ...said, count: data[level]?.totalCount ?? 0 }));
  const rest = Math.max(0, all - known.reduce((sum, { count }) => sum + count, 0));
  // Levels that this version does not know, of an older program.
  const levels = rest ? [...known, { level: 'other', text: 'Other', when: 'not known here', count: rest }] : known;
  return (
    <figure className="risks">
      <figcaption>Risk levels, by the probability of default</figcaption>
      <ul>
        {levels.map(({ level, text, when, count }) => (
          <li key={level}>
            <span className="risk-name">
              {text} <span className="risk-when">{when}</span>
            </span>
            <span className="risk-bar" aria-hidden="true">
              {count > 0 && <span className={`risk-part ${level}`} style={{ width: `${(count / all) * 100}%` }} />}
            </span>
            <span className="risk-count">
              {number(count)} <span className="risk-when">{percent.format(count / all)}</span>
            </span>
          </li>
        ))}
      </ul>
      <p className="hint">of {counted(all, 'prediction')}</p>
    </figure>
  );
}
