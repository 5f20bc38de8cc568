// Sends a file ahead of its job, which tells how far it is; a request of GraphQL could not.
import { authorization, expire } from '../session/session';

export type Sent = { uploadId: string } | { failure: string };

/** Sends a file; `signal` ends it. */
export function send(file: File, onProgress: (part: number) => void, signal: AbortSignal): Promise<Sent> {
  return new Promise(resolve => {
    const request = new XMLHttpRequest();
    request.open('POST', `/uploads?name=${encodeURIComponent(file.name)}`);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.responseType = 'json';
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () => {
      const answer = request.response as { uploadId?: string; errors?: { message: string }[] } | null;
      if (request.status === 401) expire();
      if (answer?.uploadId) return resolve({ uploadId: answer.uploadId });
      resolve({ failure: answer?.errors?.[0]?.message ?? `The server refused the file (${request.status}).` });
    };
    request.onerror = () => resolve({ failure: 'The server cannot be reached.' });
    request.onabort = () => resolve({ failure: 'The upload was stopped.' });
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}
