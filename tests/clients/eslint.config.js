// Lints the schema and the operations of the tests, from the repository's root: `npm run lint`.
import graphql from '@graphql-eslint/eslint-plugin';

const { configs, parser } = graphql;
const schema = 'schema.graphql';
const operations = 'tests/clients/operations/*.graphql';
const read = {
  languageOptions: { parser, parserOptions: { graphQLConfig: { schema, documents: operations } } },
  plugins: { '@graphql-eslint': graphql },
};

export default [
  {
    files: [schema],
    ...read,
    rules: {
      ...configs['flat/schema-recommended'].rules,
      ...configs['flat/schema-relay'].rules,
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          rootField: true,
          // Arguments of the specification's own directives, which async-graphql prints without one.
          ignoredSelectors: ['DirectiveDefinition[name.value=/^(include|skip|specifiedBy)$/] > InputValueDefinition'],
        },
      ],
      '@graphql-eslint/relay-edge-types': [
        'error',
        {
          withEdgeSuffix: true,
          // What a run decided and a row of a file that was not stored have no id, and so are no `Node`.
          shouldImplementNode: false,
          // The contract has short lists that are no pages: artifacts, `nodes` beside `edges`, userErrors.
          listTypeCanWrapOnlyEdgeType: false,
        },
      ],
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          // Values without an identity of their own: a part of the object, or of the answer, in which they stand.
          exceptions: {
            suffixes: ['Connection', 'Edge', 'Payload'],
            types: [
              'BackfillDecision',
              'Cancellation',
              'CleanupSummary',
              'DeletionPreview',
              'Hold',
              'JobActions',
              'JobDeletionPreview',
              'JobEvent',
              'JobProgress',
              'JobRefusal',
              'LinkSourceCount',
              'PageInfo',
              'PurgeState',
              'RetentionItem',
              'RetentionPolicy',
              'RetentionPreview',
              'RetentionRule',
              'RowError',
              'UnresolvedPrediction',
              'UserError',
              'Viewer',
            ],
          },
        },
      ],
    },
  },
  {
    files: [operations],
    ...read,
    rules: configs['flat/operations-recommended'].rules,
  },
];
