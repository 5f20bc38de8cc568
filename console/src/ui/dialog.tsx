import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { Button, type Look } from './button';

interface Props {
  title: string;
  /** Something is under way that closing would hide. */
  isBusy?: boolean;
  onClose: () => void;
  children: React.ReactNode;
  /** The dismissing button left, the one that does it right. */
  buttons: React.ReactNode;
}

/** A question in front of the page. Escape answers no; what Enter does is the focused button's business. */
export function Question({ title, isBusy = false, onClose, children, buttons }: Props) {
  return (
    <ModalOverlay
      className="overlay"
      isOpen
      isKeyboardDismissDisabled={isBusy}
      onOpenChange={isOpen => {
        if (!isOpen && !isBusy) onClose();
      }}
    >
      <Modal className="modal">
        <Dialog className="dialog" role="alertdialog">
          <Heading slot="title">{title}</Heading>
          {children}
          <div className="dialog-buttons">{buttons}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

interface ConfirmProps extends Omit<Props, 'buttons'> {
  /** What answers no. */
  keep: string;
  /** What does it, and what it is called meanwhile. */
  does: string;
  doing: string;
  look?: Look;
  /** It cannot be done as it is filled in. */
  isIncomplete?: boolean;
  /** Why it was not done. */
  problem: string;
  onConfirm: () => void;
}

/** A question to which the answer is yes or no, and which stays where yes failed. */
export function Confirm({ keep, does, doing, look = 'danger', isIncomplete = false, problem, onConfirm, children, ...question }: ConfirmProps) {
  const { isBusy = false, onClose } = question;
  return (
    <Question
      {...question}
      buttons={
        <>
          <Button onPress={onClose} isBusy={isBusy}>
            {keep}
          </Button>
          <Button look={look} onPress={onConfirm} isBusy={isBusy} isDisabled={isIncomplete}>
            {isBusy ? doing : does}
          </Button>
        </>
      }
    >
      {children}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </Question>
  );
}
