import { useCallback, useEffect, useMemo, useState } from 'react';
import { Button as AriaButton, Header, Link, Menu, MenuItem, MenuSection, MenuTrigger, Popover, RouterProvider } from 'react-aria-components';
import { Provider } from 'urql';
import type { Role } from './api/graphql';
import { Navigation } from './navigation';
import { Page } from './pages';
import { BASE, go } from './place';
import { connect, ServerContext, useLiveState, useServer, type Viewer, whoIs } from './server/client';
import { useWatch } from './server/events';
import { forget, token, useSession } from './session/session';
import { SignInAgain, SignInPage } from './session/sign-in';
import { Announcer } from './ui/announce';
import { Button } from './ui/button';
import { ChevronDown, Warning } from './ui/icons';
import { useKeptFocus } from './ui/kept-focus';
import { Failed } from './ui/states';
import { Clock } from './ui/time';
import { Toasts } from './ui/toasts';

const ROLES: Record<Role, string> = { MEMBER: 'Member', ORG_ADMIN: 'Administrator', OPERATOR: 'Operator' };

const STANDINGS = {
  connecting: 'Connecting',
  live: 'Live',
  polling: 'Not live',
  lost: 'Offline',
};

function LiveMark() {
  const { standing } = useLiveState();
  return (
    <span className={`live ${standing}`} role="status" aria-label="Connection">
      <span className="live-dot" aria-hidden="true" />
      <span className="live-text">{STANDINGS[standing]}</span>
    </span>
  );
}

function ConnectionBanner() {
  const { live } = useServer();
  const { standing, pause } = useLiveState();
  const said =
    standing === 'lost'
      ? `The server cannot be reached. Trying again every ${pause} seconds.`
      : standing === 'polling'
        ? `Live updates are off. The page is refreshed every ${pause} seconds.`
        : '';
  return (
    <div role="status" aria-label="Connection problems">
      {said && (
        <div className={`banner ${standing}`}>
          <Warning />
          <span>{said}</span>
          <Button look="quiet" onPress={live.now}>
            Try Now
          </Button>
        </div>
      )}
    </div>
  );
}

function Account({ viewer, onSignOut }: { viewer: Viewer; onSignOut: () => void }) {
  const of = [ROLES[viewer.role], viewer.organization?.name].filter(Boolean).join(', ');
  if (token() === null) return <span className="account">{viewer.user.name}</span>;
  return (
    <MenuTrigger>
      <AriaButton className="button quiet account">
        <span className="hidden-text">Account of {viewer.user.name}</span>
        <span className="account-initial" aria-hidden="true">
          {[...viewer.user.name][0]?.toUpperCase()}
        </span>
        <span className="account-name" aria-hidden="true">
          {viewer.user.name}
        </span>
        <ChevronDown />
      </AriaButton>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu" aria-label="Account" onAction={onSignOut}>
          <MenuSection>
            <Header className="menu-header">
              <strong>{viewer.user.name}</strong>
              {of}
            </Header>
            <MenuItem className="menu-item" id="out">
              Sign Out
            </MenuItem>
          </MenuSection>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

/** The browser's zone, as people know it: "Europe/Berlin". */
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll('_', ' ');

function Shell({ viewer, onSignOut }: { viewer: Viewer; onSignOut: () => void }) {
  useWatch();
  useKeptFocus();
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="top">
        <Link className="brand" href={`${BASE}/jobs`}>
          <img src={new URL('./favicon.svg', import.meta.url).href} alt="" width="24" height="24" />
          Joblink
        </Link>
        <Navigation role={viewer.role} />
        <LiveMark />
        <Account viewer={viewer} onSignOut={onSignOut} />
      </header>
      <ConnectionBanner />
      <main id="content" tabIndex={-1}>
        <Page viewer={viewer} />
        <p className="zone">All times are in the zone {ZONE}.</p>
      </main>
    </>
  );
}

/** The pages of one user; another user begins with nothing of them. */
function Console({ viewer, onSignOut }: { viewer: Viewer; onSignOut: () => void }) {
  const server = useMemo(connect, []);
  useEffect(() => () => server.live.dispose(), [server]);
  return (
    <ServerContext value={server}>
      <Provider value={server.client}>
        <Clock>
          <Shell viewer={viewer} onSignOut={onSignOut} />
        </Clock>
      </Provider>
    </ServerContext>
  );
}

type Standing = 'asking' | 'nobody' | { failure: string } | Viewer;

const keyOf = ({ user, organization, role }: Viewer): string => [user.id, organization?.id, role].join(' ');

export function App() {
  const [standing, setStanding] = useState<Standing>('asking');
  const { expired } = useSession();

  const ask = useCallback(() => {
    setStanding('asking');
    void whoIs(token()).then(answer => {
      if (answer === 'nobody') forget();
      setStanding(answer);
    });
  }, []);
  useEffect(ask, [ask]);

  const signOut = () => {
    forget();
    setStanding('nobody');
  };

  return (
    <RouterProvider navigate={to => go(to)}>
      <Announcer />
      <Toasts />
      {standing === 'asking' ? (
        <main className="starting" role="status">
          <span className="spinner" aria-hidden="true" />
          <span className="hidden-text">Loading</span>
        </main>
      ) : standing === 'nobody' ? (
        <SignInPage onSignedIn={setStanding} />
      ) : 'failure' in standing ? (
        <main>
          <Failed whole title="The console could not be loaded" reason={standing.failure} onRetry={ask} />
        </main>
      ) : (
        <>
          <Console key={keyOf(standing)} viewer={standing} onSignOut={signOut} />
          {expired && <SignInAgain onSignedIn={setStanding} onSignOut={signOut} />}
        </>
      )}
    </RouterProvider>
  );
}
