import { useState } from 'react';
import { Button, Dialog, DialogTrigger, Link, Popover } from 'react-aria-components';
import type { Role } from './api/graphql';
import { BASE, usePlace } from './place';
import { Menu } from './ui/icons';

const ALL: readonly Role[] = ['MEMBER', 'ORG_ADMIN', 'OPERATOR'];

/** The pages, and whose role lets them see each. */
const ENTRIES: readonly { readonly path: string; readonly text: string; readonly roles: readonly Role[] }[] = [
  { path: '/jobs', text: 'Jobs', roles: ALL },
  { path: '/predictions', text: 'Predictions', roles: ALL },
  { path: '/receipts', text: 'Receipts', roles: ALL },
  { path: '/audit', text: 'Audit log', roles: ['ORG_ADMIN', 'OPERATOR'] },
  { path: '/retention', text: 'Retention', roles: ['OPERATOR'] },
  { path: '/backfill', text: 'Backfill', roles: ['OPERATOR'] },
  { path: '/upload', text: 'Upload', roles: ALL },
];

function Entries({ role, onGo }: { role: Role; onGo?: () => void }) {
  const { path } = usePlace();
  const here = path === '/' ? '/jobs' : path;
  return (
    <>
      {ENTRIES.filter(({ roles }) => roles.includes(role)).map(({ path, text }) => {
        const isHere = here === path || here.startsWith(`${path}/`);
        return (
          <Link key={path} href={BASE + path} aria-current={isHere ? 'page' : undefined} onPress={onGo}>
            {text}
          </Link>
        );
      })}
      <a href="/graphiql">GraphiQL</a>
    </>
  );
}

/** The way to the pages that the viewer may use: side by side, and in a menu where there is no room for that. */
export function Navigation({ role }: { role: Role }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <nav className="entries" aria-label="Main">
        <Entries role={role} />
      </nav>
      <DialogTrigger isOpen={isOpen} onOpenChange={setIsOpen}>
        <Button className="button quiet entries-button">
          <Menu />
          Menu
        </Button>
        <Popover className="popover" placement="bottom start">
          <Dialog className="entries-menu" aria-label="Menu">
            <nav aria-label="Main">
              <Entries role={role} onGo={() => setIsOpen(false)} />
            </nav>
          </Dialog>
        </Popover>
      </DialogTrigger>
    </>
  );
}
