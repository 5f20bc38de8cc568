import {
  Button as AriaButton,
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
  Link,
} from 'react-aria-components';
import { Cross } from './icons';

interface News {
  title: string;
  text?: string;
  links?: readonly { readonly href: string; readonly text: string }[];
}

/** How long news are shown that nobody points at, in milliseconds. */
const SHOWN = 5000;

const queue = new ToastQueue<News>({ maxVisibleToasts: 3 });

/** Shows news in a corner of the page for a while. */
export const tell = (news: News): void => void queue.add(news, { timeout: SHOWN });

/** Where they appear; once on the page. */
export function Toasts() {
  return (
    <ToastRegion queue={queue} className="toasts" aria-label="News">
      {({ toast }) => (
        <Toast toast={toast} className="toast">
          <ToastContent className="toast-content">
            <Text slot="title">{toast.content.title}</Text>
            {toast.content.text && <Text slot="description">{toast.content.text}</Text>}
            {toast.content.links?.map(({ href, text }) => (
              <Link key={href} href={href}>
                {text}
              </Link>
            ))}
          </ToastContent>
          <AriaButton slot="close" className="clear" aria-label="Close">
            <Cross />
          </AriaButton>
        </Toast>
      )}
    </ToastRegion>
  );
}
