// What a Relay page of jobs would hold. relay-compiler reads this file; the tests import what it makes of it.
import { graphql } from 'relay-runtime';

/** A page of the list, the next ones by the same query. */
export const list = graphql`
  query jobsListQuery($first: Int!, $after: String) {
    jobs(first: $first, after: $after) @connection(key: "jobs_jobs") {
      totalCount
      edges {
        node {
          id
          fileName
          status
        }
      }
    }
  }
`;

/** A part of a page that loads its own next rows. */
export const predictions = graphql`
  fragment jobs_predictions on Job
  @refetchable(queryName: "jobsPredictionsQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 10 }, after: { type: "String" }) {
    predictions(first: $first, after: $after) @connection(key: "jobs_predictions") {
      edges {
        node {
          id
          probability
          company {
            symbol
          }
        }
      }
    }
  }
`;

/** The lists lose the job, then the store forgets it. The compiler heeds one of the two directives on a field. */
export const deleteJob = graphql`
  mutation jobsDeleteMutation($id: ID!, $deletePredictions: Boolean, $connections: [ID!]!) {
    deleteJob(id: $id, deletePredictions: $deletePredictions) {
      deletedJobId @deleteEdge(connections: $connections)
      deletedRecordId: deletedJobId @deleteRecord
      userErrors {
        code
        message
      }
    }
  }
`;

/** The same for several. */
export const deleteJobs = graphql`
  mutation jobsDeleteManyMutation($ids: [ID!]!) {
    deleteJobs(ids: $ids) {
      deletedJobIds @deleteRecord
      refused {
        jobId
        error {
          code
        }
      }
    }
  }
`;

/** Predictions leave the lists too. */
export const deletePredictions = graphql`
  mutation jobsDeletePredictionsMutation($ids: [ID!]!) {
    deletePredictions(ids: $ids) {
      deletedIds @deleteRecord
      userErrors {
        field
        code
      }
    }
  }
`;

/** Watches one job. */
export const events = graphql`
  subscription jobsEventsSubscription($id: ID!) {
    jobEvents(jobId: $id) {
      type
      job {
        id
        status
      }
    }
  }
`;
