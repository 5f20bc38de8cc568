import 'graphiql/style.css';
import './page.css';
import { createGraphiQLFetcher, StorageAPI } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

// Monaco asks for a worker by label; whatever is neither JSON nor GraphQL is its own editor service.
globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(`/graphiql/assets/${['json', 'graphql'].includes(label) ? label : 'editor'}.worker.js`, { name: label }),
};

const fetcher = createGraphiQLFetcher({
  url: '/graphql',
  // The headers of the editor, so the token too, go with the first message there.
  subscriptionUrl: `${location.origin.replace(/^http/, 'ws')}/graphql`,
  // The API has no @defer or @stream; without them the page asks for application/graphql-response+json.
  enableIncrementalDelivery: false,
});

// GraphiQL's own storage, but the history would keep the headers of each query, so a bearer token too.
const { storage } = new StorageAPI();
const { setItem } = storage;
const withoutHeaders = json => JSON.stringify(JSON.parse(json), (key, value) => (key === 'headers' ? undefined : value));
storage.setItem = (key, value) =>
  setItem(key, /^graphiql:(queries|favorites)$/.test(key) ? withoutHeaders(value) : value);

// Lines are short enough for the editor's pane in a window of 1280 pixels.
const defaultTabs = [
  {
    query: `# Joblink: prediction jobs and their results.
# Press play to list the newest jobs. Then try the
# "Delete" tab, or the docs (the book, top left).
# Token needed? Write it under Headers below:
#   {"Authorization": "Bearer TOKEN"}
query Jobs {
  viewer { user { name } role }
  jobs(first: 5) {
    totalCount
    nodes {
      id
      kind
      status
      fileName
      progress { total succeeded failed }
      predictions(first: 3) {
        nodes {
          company { symbol }
          reportingYear
          riskLevel
          probability
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Deletes a job and the predictions it made.
# Put the job's id under Variables below.
# A refusal comes back in userErrors.
mutation Delete($id: ID!) {
  deleteJob(id: $id, deletePredictions: true) {
    deletedJobId
    receipt {
      deletedAnnualPredictions
      deletedQuarterlyPredictions
    }
    userErrors { code message }
  }
}
`,
    variables: '{\n  "id": ""\n}',
  },
  {
    query: `# Shows what happens to jobs while it happens.
# With a job's id under Variables below: to that job,
# and first how it stands.
subscription Watch($id: ID) {
  jobEvents(jobId: $id) {
    type
    at
    job {
      id
      status
      progress { processed total }
    }
  }
}
`,
    variables: '{\n  "id": null\n}',
  },
];

createRoot(document.getElementById('root')).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    defaultTabs={defaultTabs}
    defaultEditorToolsVisibility="variables"
    shouldPersistHeaders={false}
  >
    <GraphiQL.Logo>Joblink</GraphiQL.Logo>
  </GraphiQL>,
);
