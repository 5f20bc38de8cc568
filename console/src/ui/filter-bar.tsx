import { useId, useState } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { Button } from './button';
import { ChevronDown } from './icons';

interface Props {
  /** The field that the list is searched by, which is shown at any width. */
  search?: React.ReactNode;
  /** How many of the filters are set; the field of the search is none of them. */
  active: number;
  /** How the list is ordered where its columns have no heads, on narrow screens. */
  order?: React.ReactNode;
  /** Takes all of it away; without it there is nothing to be taken away. */
  onClear?: () => void;
  /** The filters. */
  children: React.ReactNode;
}

/** What narrows a list: side by side, and on narrow screens behind a button, so that the list itself is seen. */
export function FilterBar({ search, active, order, onClear, children }: Props) {
  const [isOpen, setIsOpen] = useState(false);
  const id = useId();
  return (
    <div className="filters" role="group" aria-label="Filters">
      {search}
      <AriaButton
        className={`button plain choice only-narrow${active ? ' chosen' : ''}`}
        aria-expanded={isOpen}
        aria-controls={id}
        onPress={() => setIsOpen(!isOpen)}
      >
        <span className="choice-value">{active ? `Filters (${active})` : 'Filters'}</span>
        <ChevronDown />
      </AriaButton>
      {order && <span className="only-narrow">{order}</span>}
      <div id={id} className={isOpen ? 'folded open' : 'folded'}>
        {children}
        {onClear && (
          <Button look="quiet" onPress={onClear}>
            Clear Filters
          </Button>
        )}
      </div>
    </div>
  );
}
