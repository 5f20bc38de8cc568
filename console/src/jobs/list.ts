// The list of jobs: events tell how its jobs stand, and it is asked for again where they may change which jobs are in it.
import { type JobRowFragment, JobsDocument, type JobsQueryVariables } from '../api/graphql';
import { useJobEvents } from '../server/events';
import { type List, useList } from '../server/list';

export function useJobs(wanted: JobsQueryVariables, onDeleted: (id: string) => void): List<JobRowFragment> {
  const list = useList(JobsDocument, wanted, data => data.jobs);
  useJobEvents((type, id) => {
    if (type === 'DELETED') onDeleted(id);
    if (type !== 'PROGRESS') list.soon();
  });
  return list;
}
