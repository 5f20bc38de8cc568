declare module 'relay-compiler' {
  /** The path of the compiler's program for this machine. */
  const binary: string;
  export default binary;
}

declare module 'apollo-upload-client/UploadHttpLink.mjs' {
  import type { ApolloLink, HttpLink } from '@apollo/client';
  /** Sends files by the GraphQL multipart request specification, everything else as `HttpLink` does. */
  const UploadHttpLink: new (options: HttpLink.Options) => ApolloLink;
  export default UploadHttpLink;
}
