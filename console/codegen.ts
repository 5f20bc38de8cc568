// Types of what the pages ask, by the contract: `npm run generate`.
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../schema.graphql',
  documents: 'src/**/*.graphql',
  silent: true,
  generates: {
    'src/api/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { ByteCount: 'number', DateTime: 'string', Decimal: 'string', Duration: 'string', Upload: 'Blob' },
        strictScalars: true,
        enumsAsTypes: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
