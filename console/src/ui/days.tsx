import { Button, DialogTrigger, Popover } from 'react-aria-components';
import { Day } from './day';
import { ChevronDown } from './icons';

interface Props {
  label: string;
  from: string;
  to: string;
  onChange: (change: { from?: string; to?: string }) => void;
}

/** A button that opens the fields for the days between which something was. */
export function Days({ label, from, to, onChange }: Props) {
  const shown = from && to ? `${from} – ${to}` : from ? `from ${from}` : to ? `until ${to}` : 'Any time';
  return (
    <DialogTrigger>
      <Button className={`button plain choice${from || to ? ' chosen' : ''}`}>
        <span className="choice-label">{label}:</span> <span className="choice-value">{shown}</span>
        <ChevronDown />
      </Button>
      <Popover className="popover" aria-label={label}>
        <div className="more-filters">
          <div className="days">
            <Day label={`${label} from`} value={from} onChange={from => onChange({ from })} />
            <Day label={`${label} until`} value={to} onChange={to => onChange({ to })} />
          </div>
        </div>
      </Popover>
    </DialogTrigger>
  );
}
