import { Button as AriaButton, Popover, DialogTrigger } from 'react-aria-components';
import { Checkbox } from '../ui/checkbox';
import { Choice } from '../ui/choice';
import { Day } from '../ui/day';
import { active } from '../ui/filter';
import { FilterBar } from '../ui/filter-bar';
import { ChevronDown } from '../ui/icons';
import { SearchText } from '../ui/search-text';
import { STATUSES } from './status';
import { KINDS, ORDERS, ORIGINS, type Wanted } from './wanted';

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

export const NO_FILTER: Partial<Wanted> = {
  search: '',
  status: [],
  kind: [],
  origin: [],
  mine: false,
  createdFrom: '',
  createdTo: '',
  finishedFrom: '',
  finishedTo: '',
};

/** What narrows the list, and on narrow screens its order. */
export function Filters({ wanted, filtered, onChange }: Props & { filtered: boolean }) {
  return (
    <FilterBar
      active={active(wanted, NO_FILTER)}
      onClear={filtered ? () => onChange(NO_FILTER) : undefined}
      search={
        <SearchText
          label="Search by file name or job id"
          placeholder="File name or job id"
          wanted={wanted.search}
          onChange={search => onChange({ search })}
        />
      }
      order={<Choice label="Sort" all="" required choices={ORDERS} chosen={[wanted.sort]} onChange={([sort]) => onChange({ sort })} />}
    >
      <Choice label="Status" all="All" multiple choices={STATUSES} chosen={wanted.status} onChange={status => onChange({ status })} />
      <Choice label="Kind" all="All" choices={KINDS} chosen={wanted.kind} onChange={kind => onChange({ kind })} />
      <MoreFilters wanted={wanted} onChange={onChange} />
    </FilterBar>
  );
}
