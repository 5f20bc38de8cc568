// What the server writes down for the record, as people read it. Whatever is not known here is shown as it stands.
import { capital, counted, number, size } from '../ui/text';

/** "retention: FAILED jobs are deleted 12 hours after their end" */
const rule = (text: string): string | undefined => {
  const [, status, rest] = /^retention: ([A-Z]+) (jobs are .*)$/.exec(text) ?? [];
  return status && rest && `Retention: ${status.toLowerCase()} ${rest}`;
};

/** Why something was done, in the words of who did it: also those that a program uses where nothing was said. */
export const reasonInWords = (reason: string): string => (reason === 'user_request' ? 'Requested by user' : (rule(reason) ?? reason));

type Found = readonly string[];
type Wording = readonly [pattern: RegExp, words: (found: Found) => string];

const count = (text: string | undefined): number => Number(text ?? 0);
const predictions = (text: string | undefined, kind = ''): string => counted(count(text), `${kind}prediction`);
const list = (...parts: (string | false)[]): string => parts.filter(Boolean).join(', ');

/** Which details there are, each as the server writes it. */
const WORDINGS: readonly Wording[] = [
  [/^(\d+) rows?$/, ([, rows]) => `File with ${counted(count(rows), 'row')}`],
  [/^answered as before, by its idempotency key$/, () => 'The same request again: no second job was made'],
  [/^the file of job (.+)$/, ([, job]) => `Repeats the job ${job}`],
  [/^reason: ([^]*)$/, ([, reason = '']) => (reason === 'user_request' ? reasonInWords(reason) : `Reason: ${reason}`)],
  [/^it was (cancelled|held|cleaned) before$/, ([, done]) => (done === 'held' ? 'It was on hold already' : `It had been ${done} before`)],
  [/^it was not held$/, () => 'It was not on hold'],
  [/^it was held because: ([^]*)$/, ([, reason]) => `It had been on hold: ${reason}`],
  [/^no id was given$/, () => 'No id was given'],
  [/^removed (\d+) files?, (\d+) bytes?$/, ([, files, bytes]) => `${counted(count(files), 'file')} of ${size(count(bytes))} removed`],
  [
    /^deleted (\d+) annual predictions? and (\d+) quarterly predictions?, released (\d+)$/,
    ([, annual, quarterly, released]) =>
      list(
        count(annual) > 0 && `${predictions(annual, 'annual ')} deleted`,
        count(quarterly) > 0 && `${predictions(quarterly, 'quarterly ')} deleted`,
        count(released) > 0 && `${predictions(released)} released`,
      ) || 'It had no predictions',
  ],
  [/^the job was active and is cancelled by it$/, () => 'the job was active and was cancelled by it'],
  [/^began by request$/, () => 'Begun'],
  [
    /^by (\w+): cleaned (\d+) jobs?, deleted (\d+), failed (\d+), (\d+) bytes?$/,
    ([, , cleaned, deleted, failed, bytes]) =>
      list(
        count(cleaned) > 0 && `${counted(count(cleaned), 'job')} cleaned`,
        count(deleted) > 0 && `${counted(count(deleted), 'job')} deleted`,
        count(failed) > 0 && `${counted(count(failed), 'job')} failed`,
        `${size(count(bytes))} freed`,
      ),
  ],
  [/^its process was gone$/, () => 'its process was gone'],
  [/^it was told to stop$/, () => 'it was told to stop'],
  [
    /^linked (\d+) predictions?, left (\d+) without a link$/,
    ([, linked, left]) => `${predictions(linked)} linked, ${number(count(left))} left without a link`,
  ],
  [/^took back (\d+) links?$/, ([, links]) => `${counted(count(links), 'link')} taken back`],
  [
    /^removed (\d+) files? without a job, (\d+) bytes?$/,
    ([, files, bytes]) => `${counted(count(files), 'file')} without a job removed, ${size(count(bytes))} freed`,
  ],
  [/^then it failed$/, () => 'then it failed'],
];

function known(text: string): string | undefined {
  for (const [pattern, words] of WORDINGS) {
    const found = pattern.exec(text);
    if (found) return words(found);
  }
  return rule(text);
}

/** A detail of the audit log, as people read it. */
export function detailInWords(detail: string): string {
  const whole = known(detail);
  if (whole !== undefined) return whole;
  // Some have a part that is added behind a semicolon: all of them are known, or the text stays as it is.
  const parts = detail.split('; ').map(known);
  return parts.every(part => part !== undefined) ? capital(parts.join('; ')) : detail;
}
