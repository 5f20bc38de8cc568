import { Checkbox as AriaCheckbox, type CheckboxProps } from 'react-aria-components';
import { Check, Dash } from './icons';

/** A checkbox, with its text or in a row of a table. */
export function Checkbox({ children, ...rest }: Omit<CheckboxProps, 'children'> & { children?: React.ReactNode }) {
  return (
    <AriaCheckbox {...rest} className="checkbox">
      {({ isSelected, isIndeterminate }) => (
        <>
          <span className="checkbox-box">{isIndeterminate ? <Dash /> : isSelected && <Check />}</span>
          {children}
        </>
      )}
    </AriaCheckbox>
  );
}
