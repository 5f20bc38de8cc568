import { Input, Label, Text, TextArea, TextField } from 'react-aria-components';

/** The most characters that the server takes of a reason or of notes. */
export const MOST = 500;

/** What is counted are characters as the server counts them: code points. */
export const isTooLong = (text: string): boolean => [...text].length > MOST;

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
  isDisabled?: boolean;
  isRequired?: boolean;
  /** Whether a dialog begins with it. */
  autoFocus?: boolean;
  /** One line, or several whose characters are counted before the eyes of who writes them. */
  lines?: number;
  children?: React.ReactNode;
}

/** A text of at most so many characters. */
export function CountedText({ label, lines = 1, children, ...field }: Props) {
  const tooLong = isTooLong(field.value);
  return (
    <TextField {...field} className="field" isInvalid={tooLong}>
      <Label>{label}</Label>
      {lines > 1 ? <TextArea className="input" rows={lines} /> : <Input className="input" />}
      {(lines > 1 || tooLong || children) && (
        <Text slot="description" className={tooLong ? 'hint problem' : 'hint'}>
          {(lines > 1 || tooLong) && `${[...field.value].length} of ${MOST} characters`}
          {children}
        </Text>
      )}
    </TextField>
  );
}
