// Numbers, times and sizes as people read them, in the browser's language and zone.
const whole = new Intl.NumberFormat();
const stamp = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const zoned = new Intl.DateTimeFormat(undefined, {
  ...{ year: 'numeric', month: 'short', day: 'numeric' },
  ...{ hour: 'numeric', minute: '2-digit', second: '2-digit', timeZoneName: 'short' },
});
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });

/** With a large first letter, as a sentence begins. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const number = (value: number): string => whole.format(value);

/** "1 job", "4,210 predictions". */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

export const exactly = (time: string): string => stamp.format(new Date(time));

/** "22 Nov 2026 at 14:30:00", in a sentence. */
export const dayAndTime = (time: string): string => `${day.format(new Date(time))} at ${clock.format(new Date(time))}`;

/** The same with its zone, for where a time stands by itself. */
export const inItsZone = (time: string): string => zoned.format(new Date(time));

const STEPS = [
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
] as const;

/** "5 min. ago"; a date where it was more than a week ago. */
export function ago(time: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  if (seconds < 45) return 'just now';
  if (seconds > 7 * 86_400) return day.format(new Date(time));
  const [unit, length] = STEPS.findLast(([, length]) => seconds >= length * 0.95) ?? STEPS[0];
  return relative.format(-Math.max(1, Math.round(seconds / length)), unit);
}

/** How long something took: "0.4 s", "12 s", "3 min 5 s", "2 h 10 min". */
export function took(from: string, to: string): string {
  const seconds = Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
  if (seconds < 0.1) return 'less than 0.1 s';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)];
  if (hours) return `${number(hours)} h ${minutes} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** "7.9 kB", in steps of a thousand. */
export function size(bytes: number): string {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return `${step && value < 100 ? value.toFixed(1) : number(Math.round(value))} ${['bytes', 'kB', 'MB', 'GB', 'TB'][step]}`;
}
