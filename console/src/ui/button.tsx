import { Button as AriaButton, type ButtonProps } from 'react-aria-components';

export type Look = 'plain' | 'primary' | 'danger' | 'quiet';

interface Props extends ButtonProps {
  look?: Look;
  /** What it does is under way: it does nothing more until then, but keeps the focus. */
  isBusy?: boolean;
}

/** A button; `look` says how much it matters. */
export function Button({ look = 'plain', isBusy = false, ...rest }: Props) {
  const busy: ButtonProps = { 'aria-disabled': true, onPress: undefined, type: 'button' };
  return <AriaButton {...rest} {...(isBusy && busy)} className={`button ${look}`} />;
}
