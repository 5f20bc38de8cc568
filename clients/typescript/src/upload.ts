import { check } from './answer.js';
import { JoblinkError } from './errors.js';
import type { CallOptions, Transport } from './transport.js';

/** How far an upload is, in bytes. */
export interface UploadProgress {
  readonly sent: number;
  readonly total: number;
}

/** What sending a file takes. */
export interface SendOptions extends CallOptions {
  /** The file's name; that of a `File` is known. */
  readonly name?: string | undefined;
  /** Told how far it is, while it is sent. */
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/** The type under which a file goes, so that no other site's form can send one. */
const TYPE = 'application/octet-stream';

/** Sends a file ahead of its job, and gives the id under which a job takes it. What no job takes, the server drops after a day. */
export function send(transport: Transport, file: Blob, options: SendOptions): Promise<string> {
  const name = options.name ?? (file instanceof File ? file.name : undefined);
  const path = name === undefined ? 'uploads' : `uploads?name=${encodeURIComponent(name)}`;
  const once = async (): Promise<string> => {
    const response = options.onProgress
      ? await observed(transport, path, file, options.signal, options.onProgress)
      : await transport.exchange(path, request(file, options.signal), check);
    return uploadId(response);
  };
  return transport.repeat(once, true, options.signal);
}

function request(body: BodyInit, signal: AbortSignal | undefined): RequestInit {
  return { method: 'POST', headers: { 'content-type': TYPE }, body, signal: signal ?? null };
}

async function uploadId(response: Response): Promise<string> {
  const { uploadId } = (await response.json()) as { readonly uploadId?: unknown };
  if (typeof uploadId === 'string') return uploadId;
  throw new JoblinkError('UNEXPECTED_ANSWER', 'The server took the file without naming it.');
}

type Tell = (progress: UploadProgress) => void;

function observed(transport: Transport, path: string, file: Blob, signal: AbortSignal | undefined, tell: Tell): Promise<Response> {
  // Browsers tell of uploads through XMLHttpRequest alone; elsewhere a body may be a stream, which can be counted.
  if ('XMLHttpRequest' in globalThis) return byXhr(transport, path, file, signal, tell);
  const streamed = { ...request(counted(file, tell), signal), duplex: 'half' };
  return transport.exchange(path, streamed, check);
}

function counted(file: Blob, tell: Tell): ReadableStream<Uint8Array> {
  let sent = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.byteLength;
      controller.enqueue(chunk);
      tell({ sent, total: file.size });
    },
  });
  return file.stream().pipeThrough(count);
}

async function byXhr(transport: Transport, path: string, file: Blob, signal: AbortSignal | undefined, tell: Tell): Promise<Response> {
  const address = transport.address(path);
  const headers = { ...(await transport.login()), 'content-type': TYPE };
  const response = await new Promise<Response>((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const stop = (): void => xhr.abort();
    xhr.open('POST', address);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => tell({ sent: Math.min(loaded, file.size), total: file.size });
    xhr.onabort = () => reject(signal?.reason);
    xhr.onerror = () => reject(new JoblinkError('UNREACHABLE', `Cannot reach ${address.origin}; check the url, and that the server lists this page's origin.`));
    xhr.onload = () => {
      const [status, told] = [xhr.status, new Headers()];
      for (const name of ['content-type', 'retry-after', 'x-request-id']) {
        const value = xhr.getResponseHeader(name);
        if (value !== null) told.set(name, value);
      }
      resolve(new Response(xhr.responseText, { status, headers: told }));
    };
    xhr.onloadend = () => signal?.removeEventListener('abort', stop);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) reject(signal.reason);
    else xhr.send(file);
  });
  return check(response);
}

