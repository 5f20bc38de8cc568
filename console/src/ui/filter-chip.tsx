import { Button } from 'react-aria-components';
import { Cross } from './icons';

/** A filter that names one thing; pressing it takes the filter away. */
export function FilterChip({ label, value, onClear }: { label: string; value: string; onClear: () => void }) {
  return (
    <Button className="button plain choice chosen" aria-label={`${label}: ${value}, remove this filter`} onPress={onClear}>
      <span className="choice-label">{label}:</span> <span className="choice-value">{value}</span>
      <Cross />
    </Button>
  );
}
