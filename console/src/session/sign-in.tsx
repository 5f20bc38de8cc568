import { type FormEvent, type KeyboardEvent, useId, useState } from 'react';
import { Dialog, Form, Heading, Label, Modal, ModalOverlay, Text, TextArea, TextField } from 'react-aria-components';
import { type Viewer, whoIs } from '../server/client';
import { Button } from '../ui/button';
import { Checkbox } from '../ui/checkbox';
import { accept } from './session';

interface Props {
  onSignedIn: (viewer: Viewer) => void;
}

/** A token as people paste it: with `Bearer` before it, or broken into lines by a terminal. */
const cleaned = (pasted: string): string => pasted.replace(/^\s*bearer\s+/i, '').replace(/\s+/g, '');

function SignInForm({ onSignedIn }: Props) {
  const [pasted, setPasted] = useState('');
  const [onThisDevice, setOnThisDevice] = useState(false);
  const [problem, setProblem] = useState('');
  const [asking, setAsking] = useState(false);
  const problemId = useId();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const token = cleaned(pasted);
    if (asking) return;
    if (!token) return setProblem('Paste a token first.');
    // A header takes nothing else, and no token has it.
    if (!/^[\x21-\x7e]+$/.test(token)) return setProblem('This is not a token: it has characters that no token has.');
    setAsking(true);
    setProblem('');
    const answer = await whoIs(token);
    setAsking(false);
    if (answer === 'nobody') return setProblem('The server does not accept this token: it may have expired, or be for another server.');
    if ('failure' in answer) return setProblem(`${answer.failure} Try again.`);
    accept(token, onThisDevice);
    onSignedIn(answer);
  };

  /** A token is one line, however it was broken: Enter is the end of it. */
  const end = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };

  return (
    <Form className="sign-in-form" onSubmit={event => void submit(event)}>
      <TextField
        className="field"
        value={pasted}
        onChange={text => {
          setPasted(text);
          setProblem('');
        }}
        isInvalid={problem !== ''}
        autoFocus
      >
        <Label>Bearer token</Label>
        <TextArea className="input token" rows={4} spellCheck="false" autoComplete="off" autoCapitalize="off" aria-describedby={problemId} onKeyDown={end} />
        <Text slot="description" className="hint">
          The one that your administrator gave you. An operator makes one by <code>joblink token</code>.
        </Text>
      </TextField>
      <p id={problemId} className="problem" role="alert">
        {problem}
      </p>
      <Checkbox isSelected={onThisDevice} onChange={setOnThisDevice}>
        <span>
          Stay signed in on this device
          <span className="hint">Keeps the token in this browser. Leave it off on a device that others use.</span>
        </span>
      </Checkbox>
      <Button type="submit" look="primary" isBusy={asking}>
        {asking ? 'Signing in...' : 'Sign In'}
      </Button>
    </Form>
  );
}

/** The page of those who are not signed in. */
export function SignInPage(props: Props) {
  return (
    <main className="sign-in">
      <div className="card">
        <img src={new URL('../favicon.svg', import.meta.url).href} alt="" width="40" height="40" />
        <h1>Sign in to Joblink</h1>
        <SignInForm {...props} />
      </div>
    </main>
  );
}

/** The same in front of the page at hand, which stays as it is. */
export function SignInAgain({ onSignedIn, onSignOut }: Props & { onSignOut: () => void }) {
  return (
    <ModalOverlay className="overlay" isOpen isKeyboardDismissDisabled>
      <Modal className="modal">
        <Dialog className="dialog">
          <Heading slot="title">Sign in again</Heading>
          <p>Your token has expired. What you have on this page is kept.</p>
          <SignInForm onSignedIn={onSignedIn} />
          <Button look="quiet" onPress={onSignOut}>
            Sign Out Instead
          </Button>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
