import type { Selection } from 'react-aria-components';
import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components';
import { Check, ChevronDown } from './icons';

interface Props<Value extends string> {
  label: string;
  /** What is shown where nothing is chosen. */
  all: string;
  choices: readonly { readonly value: Value; readonly text: string }[];
  chosen: readonly Value[];
  /** Several at a time, else one. */
  multiple?: boolean;
  /** Whether nothing may be chosen. */
  required?: boolean;
  onChange: (chosen: Value[]) => void;
}

/** A button that says what is chosen, and opens the list of choices. */
export function Choice<Value extends string>(props: Props<Value>) {
  const { label, all, choices, chosen, multiple = false, required = false, onChange } = props;
  const [first] = chosen;
  const name = (value: Value) => choices.find(choice => choice.value === value)?.text ?? value;
  const shown = first === undefined ? all : chosen.length === 1 ? name(first) : `${chosen.length} chosen`;
  const change = (selection: Selection) =>
    onChange(choices.map(({ value }) => value).filter(value => selection === 'all' || selection.has(value)));
  return (
    <MenuTrigger>
      <Button className={`button plain choice${chosen.length && !required ? ' chosen' : ''}`}>
        <span className="choice-label">{label}:</span> <span className="choice-value">{shown}</span>
        <ChevronDown />
      </Button>
      <Popover className="popover">
        <Menu
          className="menu"
          aria-label={label}
          selectionMode={multiple ? 'multiple' : 'single'}
          disallowEmptySelection={required}
          selectedKeys={chosen}
          onSelectionChange={change}
        >
          {choices.map(({ value, text }) => (
            <MenuItem key={value} id={value} textValue={text} className="menu-item">
              {({ isSelected }) => (
                <>
                  <span className="menu-tick">{isSelected && <Check />}</span>
                  {text}
                </>
              )}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
