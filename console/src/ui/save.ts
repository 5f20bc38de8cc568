/** Some browsers begin to read a file some time after they were given it, in milliseconds. */
const READ_BY = 60_000;

/** Gives the browser a file to save, as a download does. */
export function save(contents: Blob, name: string): void {
  const url = URL.createObjectURL(contents);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), READ_BY);
}
