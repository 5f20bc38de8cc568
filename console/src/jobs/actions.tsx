import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover } from 'react-aria-components';
import { createContext, useContext } from 'react';
import type { JobRowFragment } from '../api/graphql';
import { More } from '../ui/icons';

export interface Actions {
  readonly onCancel: (job: JobRowFragment) => void;
  readonly onDelete: (job: JobRowFragment) => void;
  readonly onRetry: (job: JobRowFragment) => void;
}

/** What the page does when an action of a row is chosen. */
export const ActionsContext = createContext<Actions>({ onCancel: () => {}, onDelete: () => {}, onRetry: () => {} });

/** Why the job cannot be deleted, and whom to ask. */
export function remark({ can, hold, createdBy }: JobRowFragment): string | undefined {
  if (can.delete || can.forceDelete) return undefined;
  if (hold) return `On hold: ${hold.reason}. An administrator can lift the hold.`;
  return `You may not delete this job. Ask ${createdBy?.name ?? 'its creator'}, or an administrator of your organization.`;
}

/** What the viewer may do with a job, as the server says. */
export function JobActions({ job }: { job: JobRowFragment }) {
  const { onCancel, onDelete, onRetry } = useContext(ActionsContext);
  const { can } = job;
  const why = remark(job);
  return (
    <MenuTrigger>
      <Button className="button quiet more" aria-label={`Actions for ${job.fileName}`}>
        <More />
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu
          className="menu"
          aria-label={`Actions for ${job.fileName}`}
          renderEmptyState={() => <p className="menu-note">{why}</p>}
        >
          {can.retry && (
            <MenuItem className="menu-item" onAction={() => onRetry(job)}>
              Retry Job
            </MenuItem>
          )}
          {can.cancel && (
            <MenuItem className="menu-item" onAction={() => onCancel(job)}>
              Cancel Job
            </MenuItem>
          )}
          {(can.delete || can.forceDelete) && (
            <MenuItem className="menu-item danger" onAction={() => onDelete(job)}>
              Delete Job
            </MenuItem>
          )}
          {(can.cancel || can.retry) && why && (
            <MenuSection>
              <Header className="menu-header">{why}</Header>
            </MenuSection>
          )}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
