// What the user asks to be done: once, however often the button is pressed, and with what is in the way said.
import { useCallback, useRef, useState } from 'react';
import type { CombinedError } from 'urql';
import type { UserErrorsFragment } from '../api/graphql';
import { announce } from '../ui/announce';
import { refused, sentence } from './failure';

interface Payload {
  readonly userErrors: readonly UserErrorsFragment[];
}

export interface Answer<Done extends Payload> {
  readonly payload: Done | null | undefined;
  readonly error: CombinedError | undefined;
}

/** `whom`: whom to ask where rights are missing. `lost`: what to do where nobody knows whether it was done. */
export function useAct(whom?: string, lost = 'Try again.') {
  const [problem, setProblem] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const busy = useRef(false);

  /** What the server did; nothing where it refused or failed, which `problem` says then. */
  const act = useCallback(
    async <Done extends Payload>(meanwhile: string, ask: () => Promise<Answer<Done>>): Promise<Done | undefined> => {
      if (busy.current) return undefined;
      busy.current = true;
      setIsBusy(true);
      setProblem('');
      announce(meanwhile);
      const { payload, error } = await ask();
      busy.current = false;
      setIsBusy(false);
      const [refusal] = payload?.userErrors ?? [];
      if (refusal) setProblem(refused(refusal, whom));
      else if (payload) return payload;
      else setProblem(`${error ? sentence(error) : 'The server did not answer.'} ${lost}`);
      return undefined;
    },
    [whom, lost],
  );
  return { act, problem, isBusy, forget: useCallback(() => setProblem(''), []) };
}
