import { Input, Label, TextField } from 'react-aria-components';
import { number } from '../ui/text';

/** Above so many predictions their number is typed to confirm. */
const TYPED_ABOVE = 1000;

/** Whether what was typed confirms that so many predictions go. */
export const isConfirmed = (predictions: number, typed: string): boolean =>
  predictions <= TYPED_ABOVE || typed.replace(/[\s,.'’]/g, '') === `${predictions}`;

interface Props {
  predictions: number;
  typed: string;
  isDisabled: boolean;
  onChange: (typed: string) => void;
}

/** Asks for the number of predictions, where there are so many that it has to be typed. */
export function TypedCount({ predictions, typed, isDisabled, onChange }: Props) {
  if (predictions <= TYPED_ABOVE) return null;
  return (
    <TextField className="field" value={typed} isDisabled={isDisabled} onChange={onChange} autoComplete="off" inputMode="numeric">
      <Label>Type {number(predictions)}, the number of predictions, to confirm</Label>
      <Input className="input" />
    </TextField>
  );
}
