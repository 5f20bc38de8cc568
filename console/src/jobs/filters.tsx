import { Button as AriaButton, Popover, DialogTrigger } from 'react-aria-components';
import { Checkbox } from '../ui/checkbox';
import { Choice } from '../ui/choice';
import { Day } from '../ui/day';
import { ChevronDown } from '../ui/icons';
import { STATUSES } from './status';
import { KINDS, ORIGINS, type Wanted } from './wanted';

interface Props {
  wanted: Wanted;
  onChange: (change: Partial<Wanted>) => void;
}

function MoreFilters({ wanted, onChange }: Props) {
  const { mine, origin, createdFrom, createdTo, finishedFrom, finishedTo } = wanted;
  const count = [mine, origin.length, createdFrom, createdTo, finishedFrom, finishedTo].filter(Boolean).length;
  return (
    <DialogTrigger>
      <AriaButton className={`button plain choice${count ? ' chosen' : ''}`}>
        <span className="choice-value">{count ? `More Filters (${count})` : 'More Filters'}</span>
        <ChevronDown />
      </AriaButton>
      <Popover className="popover" placement="bottom end" aria-label="More Filters">
        <div className="more-filters">
          <Checkbox isSelected={mine} onChange={mine => onChange({ mine })}>
            Created by me
          </Checkbox>
          <Choice label="Made by" all="Any program" choices={ORIGINS} chosen={origin} onChange={origin => onChange({ origin })} />
          <div className="days">
            <Day label="Created from" value={createdFrom} onChange={createdFrom => onChange({ createdFrom })} />
            <Day label="Created until" value={createdTo} onChange={createdTo => onChange({ createdTo })} />
            <Day label="Finished from" value={finishedFrom} onChange={finishedFrom => onChange({ finishedFrom })} />
            <Day label="Finished until" value={finishedTo} onChange={finishedTo => onChange({ finishedTo })} />
          </div>
        </div>
      </Popover>
    </DialogTrigger>
  );
}

/** What narrows the list, beside the search. */
export function Filters({ wanted, onChange }: Props) {
  return (
    <>
      <Choice label="Status" all="All" multiple choices={STATUSES} chosen={wanted.status} onChange={status => onChange({ status })} />
      <Choice label="Kind" all="All" choices={KINDS} chosen={wanted.kind} onChange={kind => onChange({ kind })} />
      <MoreFilters wanted={wanted} onChange={onChange} />
    </>
  );
}
