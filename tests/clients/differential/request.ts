/** What a client sends. */
export interface Request {
  query: string;
  variables: Record<string, unknown>;
  operationName?: string;
}
