import { type ComponentType, useEffect, useState } from 'react';
import { Failed } from './states';
import { ListSkeleton } from './table';

/** A page whose code is fetched when it is first shown, and once more where that failed. */
export function lazily<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let Loaded: ComponentType<Props> | undefined;
  return function Lazily(props: Props) {
    const [attempt, setAttempt] = useState(0);
    const [standing, setStanding] = useState<'loading' | 'loaded' | 'failed'>(Loaded ? 'loaded' : 'loading');
    useEffect(() => {
      if (Loaded) return;
      let isShown = true;
      load().then(
        page => {
          Loaded = page;
          if (isShown) setStanding('loaded');
        },
        () => isShown && setStanding('failed'),
      );
      return () => void (isShown = false);
    }, [attempt]);
    if (Loaded) return <Loaded {...props} />;
    if (standing === 'failed') {
      const retry = () => {
        setStanding('loading');
        setAttempt(attempt + 1);
      };
      return (
        <Failed
          whole
          title="The page could not be loaded"
          reason="The server cannot be reached, or has another version since this page was opened: then reload it in the browser."
          onRetry={retry}
        />
      );
    }
    return (
      <div className="page">
        <ListSkeleton of="page" />
      </div>
    );
  };
}
