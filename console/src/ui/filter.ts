// What narrows a list: read from an address, and said to the server.

/** Those of the choices that an address names. */
export const known = <Value extends string>(choices: readonly { readonly value: Value }[], text: string | null): Value[] => {
  const given = (text ?? '').split(',');
  return choices.map(({ value }) => value).filter(value => given.includes(value));
};

/** A day that an address names; empty where it names none. */
export const day = (text: string | null): string => (text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : '');

/** The beginning of a day in the browser's zone, some days later. */
export function midnight(text: string, later: number): string | undefined {
  if (!text) return undefined;
  const [year = 0, month = 1, date = 1] = text.split('-').map(Number);
  const time = new Date(2000, 0, 1);
  time.setFullYear(year, month - 1, date + later); // the constructor takes years before 100 for others
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Nothing is narrowed by it. */
export const isEmpty = (filter: object): boolean => Object.values(filter).every(value => value === undefined);

/** How many filters are set, of those that can be taken away; the text that is searched for is none. */
export const active = (wanted: object, none: object, search = 'search'): number =>
  Object.keys(none).filter(name => {
    const value = (wanted as Record<string, unknown>)[name];
    return name !== search && (Array.isArray(value) ? value.length > 0 : Boolean(value));
  }).length;
