import { useEffect, useRef, useState } from 'react';
import { Button, Input, SearchField } from 'react-aria-components';
import { Cross, Search } from './icons';
import { capital } from './text';

/** How long somebody pauses who has written what they search for, in milliseconds. */
const PAUSE = 250;

interface Props {
  /** What is looked at: "file name or job id". */
  by: string;
  /** What is searched for now. */
  wanted: string;
  onChange: (search: string) => void;
}

/** A field for what is searched for, which is told when its writer pauses. */
export function SearchText({ by, wanted, onChange }: Props) {
  const [text, setText] = useState(wanted);
  const sent = useRef(wanted);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  // Another address, by going back or by "Clear filters".
  if (sent.current !== wanted) {
    sent.current = wanted;
    setText(wanted);
  }
  // Other filters may have changed during the pause: what is told then goes with them.
  const latest = useRef({ wanted, onChange });
  latest.current = { wanted, onChange };
  const send = (search: string) => {
    window.clearTimeout(timer.current);
    sent.current = search;
    const { wanted, onChange } = latest.current;
    if (search !== wanted) onChange(search);
  };
  return (
    <SearchField
      className="search"
      aria-label={`Search by ${by}`}
      value={text}
      onChange={search => {
        setText(search);
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => send(search), PAUSE);
      }}
      onSubmit={send}
      onClear={() => send('')}
    >
      <Search />
      <Input placeholder={capital(by)} />
      <Button className="clear" aria-label="Clear the search">
        <Cross />
      </Button>
    </SearchField>
  );
}
