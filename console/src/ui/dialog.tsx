import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';

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
