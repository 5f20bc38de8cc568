import { type ComponentType, useCallback, useEffect, useState } from 'react';
import { useRefresh } from '../server/client';
import { Failed } from './states';
import { ListSkeleton } from './table';

/** That the code of a page did not come; it is asked for again when the server is. */
function Unloaded({ look, onRetry }: { look: () => Promise<boolean>; onRetry: () => void }) {
  useRefresh(look);
  return (
    <Failed
      whole
      title="The page could not be loaded"
      reason="The server cannot be reached, or was updated since this page was opened: then reload it in the browser."
      onRetry={onRetry}
    />
  );
}

/** A page whose code is fetched when it is first shown, and once more where that failed. */
export function lazily<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let Loaded: ComponentType<Props> | undefined;
  return function Lazily(props: Props) {
    const [standing, setStanding] = useState<'loading' | 'loaded' | 'failed'>(Loaded ? 'loaded' : 'loading');
    const look = useCallback(async () => {
      try {
        Loaded ??= await load();
        setStanding('loaded');
        return true;
      } catch {
        setStanding('failed');
        return false;
      }
    }, []);
    useEffect(() => void look(), [look]);
    if (Loaded) return <Loaded {...props} />;
    if (standing === 'failed') {
      const retry = () => {
        setStanding('loading');
        void look();
      };
      return <Unloaded look={look} onRetry={retry} />;
    }
    return (
      <div className="page">
        <ListSkeleton of="page" />
      </div>
    );
  };
}
