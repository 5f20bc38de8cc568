import { Link } from 'react-aria-components';
import { usePlace } from '../place';

/** The two pages of retention; who may not see them is not led to them. */
export function RetentionHead({ isRefused = false }: { isRefused?: boolean }) {
  const { path } = usePlace();
  return (
    <div className="page-head">
      <h1>Retention</h1>
      {!isRefused && (
        <nav className="sub-pages" aria-label="Retention">
          <Link href="/console/retention" aria-current={path === '/retention' ? 'page' : undefined}>
            Policy and what is due
          </Link>
          <Link href="/console/retention/runs" aria-current={path === '/retention/runs' ? 'page' : path.startsWith('/retention/runs/') ? 'true' : undefined}>
            Past runs
          </Link>
        </nav>
      )}
    </div>
  );
}
