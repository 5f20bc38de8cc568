import { Input, Label, TextField } from 'react-aria-components';

/** A field for a day, as the browser asks for one. */
export function Day({ label, value, onChange }: { label: string; value: string; onChange: (day: string) => void }) {
  return (
    <TextField className="field" type="date" value={value} onChange={onChange}>
      <Label>{label}</Label>
      <Input className="input" />
    </TextField>
  );
}
