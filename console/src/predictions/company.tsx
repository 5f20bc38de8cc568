import { useEffect, useState } from 'react';
import { Autocomplete, Button as AriaButton, DialogTrigger, Input, Menu, MenuItem, Popover, SearchField } from 'react-aria-components';
import { useQuery } from 'urql';
import { CompaniesDocument, CompanyDocument } from '../api/graphql';
import { FilterChip } from '../ui/filter-chip';
import { ChevronDown, Cross, Search as SearchIcon } from '../ui/icons';

/** How long somebody pauses who has written what they look for, in milliseconds. */
const PAUSE = 200;

function Chosen({ id, onClear }: { id: string; onClear: () => void }) {
  const [{ data }] = useQuery({ query: CompanyDocument, variables: { id } });
  const company = data?.node?.__typename === 'Company' ? data.node.symbol : id.slice(0, 8);
  return <FilterChip label="Company" value={company} onClear={onClear} />;
}

function Search({ onChoose }: { onChoose: (id: string) => void }) {
  const [text, setText] = useState('');
  const [search, setSearch] = useState('');
  useEffect(() => {
    const timer = window.setTimeout(() => setSearch(text.trim()), PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  const [{ data, fetching, error }] = useQuery({ query: CompaniesDocument, variables: { search } });
  const companies = data?.companies?.nodes ?? [];
  return (
    <Autocomplete inputValue={text} onInputChange={setText}>
      <SearchField className="search" aria-label="Part of the symbol or the name" autoFocus>
        <SearchIcon />
        <Input placeholder="Symbol or name" />
        <AriaButton className="clear" aria-label="Clear the search">
          <Cross />
        </AriaButton>
      </SearchField>
      <Menu
        className="menu"
        aria-label="Companies"
        items={companies}
        onAction={id => onChoose(String(id))}
        renderEmptyState={() => (
          <p className="menu-note">{error ? 'The companies could not be looked up.' : fetching ? 'Looking it up' : 'No company matches.'}</p>
        )}
      >
        {({ id, symbol, name }) => (
          <MenuItem id={id} textValue={symbol} className="menu-item company-item">
            <strong>{symbol}</strong>
            <span className="hint">{name}</span>
          </MenuItem>
        )}
      </Menu>
    </Autocomplete>
  );
}

/** Narrows a list to one company, which is looked up by a part of its symbol or name. */
export function CompanyFilter({ chosen, onChange }: { chosen: string; onChange: (company: string) => void }) {
  if (chosen) return <Chosen id={chosen} onClear={() => onChange('')} />;
  return (
    <DialogTrigger>
      <AriaButton className="button plain choice">
        <span className="choice-label">Company:</span> <span className="choice-value">All</span>
        <ChevronDown />
      </AriaButton>
      <Popover className="popover" placement="bottom start" aria-label="Company">
        <div className="company-filter">
          <Search onChoose={onChange} />
        </div>
      </Popover>
    </DialogTrigger>
  );
}
