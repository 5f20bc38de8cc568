import { useState } from 'react';
import { Input, TextField } from 'react-aria-components';
import { Choice } from '../ui/choice';
import { FilterChip } from '../ui/filter-chip';
import { CompanyFilter } from './company';
import { isYear, LINKS, QUARTERS, RISKS, SOURCES, type Wanted } from './wanted';

interface Props {
  wanted: Wanted;
  onChange: (change: Partial<Wanted>) => void;
}

function Year({ year, onChange }: { year: string; onChange: (year: string) => void }) {
  const [text, setText] = useState(year);
  const [shown, setShown] = useState(year);
  // Another address, by going back or by "Clear filters".
  if (shown !== year) {
    setShown(year);
    setText(year);
  }
  const change = (typed: string) => {
    const digits = typed.replace(/\D/g, '').slice(0, 4);
    setText(digits);
    if (digits !== year && (digits === '' || isYear(digits))) onChange(digits);
  };
  return (
    <TextField className="year" aria-label="Year, four digits" value={text} onChange={change} onBlur={() => setText(year)} inputMode="numeric" autoComplete="off">
      <Input className="input" placeholder="Year" />
    </TextField>
  );
}

/** What narrows the list. */
export function Filters({ wanted, onChange }: Props) {
  return (
    <>
      <CompanyFilter chosen={wanted.company} onChange={company => onChange({ company })} />
      <Year year={wanted.year} onChange={year => onChange({ year })} />
      <Choice label="Quarter" all="All" choices={QUARTERS} chosen={wanted.quarter} onChange={quarter => onChange({ quarter })} />
      <Choice label="Risk" all="All" multiple choices={RISKS} chosen={wanted.risk} onChange={risk => onChange({ risk })} />
      <Choice label="Job" all="All" choices={LINKS} chosen={wanted.link} onChange={link => onChange({ link })} />
      <Choice label="Link source" all="All" multiple choices={SOURCES} chosen={wanted.source} onChange={source => onChange({ source })} />
      <Choice
        label="By"
        all="Everybody"
        choices={[{ value: 'me', text: 'Me' }]}
        chosen={wanted.mine ? ['me'] : []}
        onChange={([me]) => onChange({ mine: me !== undefined })}
      />
      {wanted.job && <FilterChip label="Of job" value={wanted.job.slice(0, 8)} onClear={() => onChange({ job: '' })} />}
    </>
  );
}
