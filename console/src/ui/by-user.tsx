import { Choice } from './choice';
import { FilterChip } from './filter-chip';

interface Props {
  /** The id of the user; empty where it does not matter. */
  by: string;
  viewer: { readonly id: string };
  /** Those who are named on the page, of whom it may be one. */
  users: readonly ({ readonly id: string; readonly name: string } | null | undefined)[];
  onChange: (by: string) => void;
}

const ME = [{ value: 'me', text: 'Me' }] as const;

/** Narrows a list to what one user did: the viewer, or whose name was pressed in it. */
export function ByUser({ by, viewer, users, onChange }: Props) {
  if (by && by !== viewer.id) {
    const name = users.find(user => user?.id === by)?.name ?? by.slice(0, 8);
    return <FilterChip label="By" value={name} onClear={() => onChange('')} />;
  }
  return (
    <Choice label="By" all="Everybody" choices={ME} chosen={by ? ['me'] : []} onChange={([me]) => onChange(me ? viewer.id : '')} />
  );
}
