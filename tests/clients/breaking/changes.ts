// What a changed schema breaks for its clients, and whether the changelog says so.
import { type Change, CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

/** The changes that may break a client, from the schema of the last release to this one. */
export async function breaking(baseline: string, schema: string): Promise<Change[]> {
  const changes = await diff(buildSchema(baseline), buildSchema(schema));
  return changes.filter(change => change.criticality.level === CriticalityLevel.Breaking);
}

/** What stands in the changelog under `## [Unreleased]`, `### Breaking`. */
export function announced(changelog: string): string {
  const unreleased = section(changelog, /^## \[Unreleased\].*$/m, /^## /m);
  return section(unreleased, /^### Breaking\s*$/m, /^##/m);
}

function section(text: string, head: RegExp, next: RegExp): string {
  const found = head.exec(text);
  if (!found) return '';
  const rest = text.slice(found.index + found[0].length);
  const end = next.exec(rest)?.index ?? rest.length;
  return rest.slice(0, end);
}

/** Those that no line of the changelog names by their path, like `Job.fileSize`, in backquotes. */
export async function unannounced(baseline: string, schema: string, changelog: string): Promise<Change[]> {
  const named = new Set([...announced(changelog).matchAll(/`([^`]+)`/g)].map(match => match[1]));
  return (await breaking(baseline, schema)).filter(change => !named.has(change.path ?? ''));
}
