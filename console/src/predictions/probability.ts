// Probabilities of default in percent, and the levels of risk that they are.
import type { RiskLevel } from '../api/graphql';

/** From which probability on, in percent, a level is that. */
export const BOUNDS = { medium: 2, high: 5, critical: 15 } as const;

/** The bound that a probability of a level comes close to without reaching it, and on which side of it that is. */
const BESIDE: Partial<Record<RiskLevel, readonly [side: string, bound: number]>> = {
  LOW: ['<', BOUNDS.medium],
  MEDIUM: ['<', BOUNDS.high],
  CRITICAL: ['>', BOUNDS.critical],
};

const percent = new Intl.NumberFormat(undefined, { style: 'percent', minimumFractionDigits: 2, maximumFractionDigits: 2 });

/**
 * "1.98%". The server gives four decimals, but tells the level by all of them: where that lies beyond what is left of the
 * probability, it was rounded to the bound, and is said to be beside it: "< 2.00%" is low, "2.00%" is not.
 */
export function inPercent(probability: string, level: RiskLevel | null): string {
  const value = Number(probability);
  const text = percent.format(value);
  const beside = level ? BESIDE[level] : undefined;
  if (!beside) return text;
  const [side, bound] = beside;
  return (value * 100).toFixed(2) === bound.toFixed(2) ? `${side} ${text}` : text;
}
