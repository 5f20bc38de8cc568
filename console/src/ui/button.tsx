import { Button as AriaButton, type ButtonProps } from 'react-aria-components';

export type Look = 'plain' | 'primary' | 'danger' | 'quiet';

/** A button; `look` says how much it matters. */
export function Button({ look = 'plain', ...rest }: ButtonProps & { look?: Look }) {
  return <AriaButton {...rest} className={`button ${look}`} />;
}
