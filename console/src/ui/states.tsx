// What a page shows in the place of its content.
import type { Role } from '../api/graphql';
import { Button } from './button';
import { Lock, Warning } from './icons';

interface Props {
  title: string;
  /** Nothing else is on the page. */
  whole?: boolean;
}

const Title = ({ title, whole }: Props) => (whole ? <h1>{title}</h1> : <h2>{title}</h2>);

/** There is nothing, and what one can do about it. */
export function Empty({ children, ...title }: Props & { children?: React.ReactNode }) {
  return (
    <div className="state">
      <Title {...title} />
      {children}
    </div>
  );
}

/** It could not be read. */
export function Failed({ reason, onRetry, ...title }: Props & { reason: string; onRetry: () => void }) {
  return (
    <div className="state failed" role="alert">
      <span className="state-icon">
        <Warning />
      </span>
      <Title {...title} />
      <p>{reason}</p>
      <Button look="primary" onPress={onRetry}>
        Retry
      </Button>
    </div>
  );
}

/** Something failed on a page that goes on as it is. */
export function Notice({ said, does, onPress }: { said: string; does?: string; onPress?: () => void }) {
  return (
    <div className="notice" role="alert">
      <Warning />
      <span>{said}</span>
      {does && (
        <Button look="quiet" onPress={onPress}>
          {does}
        </Button>
      )}
    </div>
  );
}

/** Those of a role and above it, and whom to ask for what only they may do. */
const WHO: Record<Exclude<Role, 'MEMBER'>, { readonly may: string; readonly ask: string }> = {
  ORG_ADMIN: { may: 'administrators and operators', ask: 'an administrator of your organization, or an operator of the server,' },
  OPERATOR: { may: 'operators', ask: 'an operator of the server' },
};

/** The viewer may not see it: who may, and whom to ask. */
export function Forbidden({ what, forWhom, whole }: { what: string; forWhom: Exclude<Role, 'MEMBER'>; whole?: boolean }) {
  return (
    <div className="state">
      <span className="state-icon quiet">
        <Lock />
      </span>
      <Title title={`Only ${WHO[forWhom].may} see ${what}`} whole={whole} />
      <p>Ask {WHO[forWhom].ask} for what you need from it, or for the role.</p>
    </div>
  );
}
