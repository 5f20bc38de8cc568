import { useEffect, useState } from 'react';
import { Button as AriaButton, ComboBox, Input, ListBox, ListBoxItem, Popover } from 'react-aria-components';
import { useQuery } from 'urql';
import { CompaniesDocument, CompanyDocument } from '../api/graphql';
import { ChevronDown } from '../ui/icons';
import { FilterChip } from '../ui/filter-chip';

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
  const [isUsed, setIsUsed] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setSearch(text.trim()), PAUSE);
    return () => window.clearTimeout(timer);
  }, [text]);
  const [{ data, fetching, error }] = useQuery({ query: CompaniesDocument, variables: { search }, pause: !isUsed });
  const companies = data?.companies?.nodes ?? [];
  return (
    <ComboBox
      className="company-filter"
      aria-label="Company"
      items={companies}
      inputValue={text}
      onInputChange={setText}
      selectedKey={null}
      onSelectionChange={id => id !== null && onChoose(String(id))}
      onFocus={() => setIsUsed(true)}
      menuTrigger="focus"
      allowsEmptyCollection
      defaultFilter={() => true}
    >
      <Input className="input" placeholder="Company" />
      <AriaButton className="clear" aria-label="Show companies">
        <ChevronDown />
      </AriaButton>
      <Popover className="popover">
        <ListBox
          className="menu"
          renderEmptyState={() => (
            <p className="menu-note">{error ? 'The companies could not be looked up.' : fetching ? 'Looking it up' : 'No company matches.'}</p>
          )}
        >
          {({ id, symbol, name }: (typeof companies)[number]) => (
            <ListBoxItem id={id} textValue={symbol} className="menu-item company-item">
              <strong>{symbol}</strong>
              <span className="hint">{name}</span>
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}

/** Narrows a list to one company, which is looked up by a part of its symbol or name. */
export function CompanyFilter({ chosen, onChange }: { chosen: string; onChange: (company: string) => void }) {
  return chosen ? <Chosen id={chosen} onClear={() => onChange('')} /> : <Search onChoose={onChange} />;
}
