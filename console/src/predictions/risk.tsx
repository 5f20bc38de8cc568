import type { RiskLevel } from '../api/graphql';
import { RISKS } from './wanted';

/** How likely a default is, by its word and its colour. */
export function RiskBadge({ level }: { level: RiskLevel | null | undefined }) {
  if (!level) return <span className="nothing">–</span>;
  return <span className={`badge risk-${level.toLowerCase()}`}>{RISKS.find(({ value }) => value === level)?.text ?? level}</span>;
}
