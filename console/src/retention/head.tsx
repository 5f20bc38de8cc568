import { Link } from 'react-aria-components';
import { usePlace } from '../place';

/** The two pages of retention. */
export function RetentionHead({ children }: { children?: React.ReactNode }) {
  const { path } = usePlace();
  return (
    <div className="page-head">
      <h1>Retention</h1>
      <nav className="sub-pages" aria-label="Retention">
        <Link href="/console/retention" aria-current={path === '/retention' ? 'page' : undefined}>
          Policy and what is due
        </Link>
        <Link href="/console/retention/runs" aria-current={path === '/retention/runs' ? 'page' : undefined}>
          Past runs
        </Link>
      </nav>
      {children}
    </div>
  );
}
