__all__ = [
    "CANCEL_JOB_GQL",
    "CREATE_JOB_GQL",
    "DELETE_JOBS_GQL",
    "DELETE_JOB_GQL",
    "GET_JOB_GQL",
    "GET_RECEIPT_GQL",
    "GET_VIEWER_GQL",
    "HOLD_JOB_GQL",
    "LIST_JOBS_GQL",
    "LIST_PREDICTIONS_GQL",
    "LIST_RECEIPTS_GQL",
    "LIST_ROW_ERRORS_GQL",
    "PREVIEW_DELETION_GQL",
    "RELEASE_JOB_HOLD_GQL",
    "RETRY_JOB_GQL",
    "WATCH_JOBS_GQL",
]

CREATE_JOB_GQL = """
mutation CreateJob($input: CreateJobInput!) {
  createJob(input: $input) {
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

RETRY_JOB_GQL = """
mutation RetryJob($id: ID!) {
  retryJob(id: $id) {
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

CANCEL_JOB_GQL = """
mutation CancelJob($id: ID!, $reason: String, $notes: String) {
  cancelJob(id: $id, reason: $reason, notes: $notes) {
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

HOLD_JOB_GQL = """
mutation HoldJob($id: ID!, $reason: String!) {
  holdJob(id: $id, reason: $reason) {
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

RELEASE_JOB_HOLD_GQL = """
mutation ReleaseJobHold($id: ID!) {
  releaseJobHold(id: $id) {
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

DELETE_JOB_GQL = """
mutation DeleteJob($id: ID!, $deletePredictions: Boolean, $force: Boolean, $reason: String, $expectedPredictions: Int) {
  deleteJob(
    id: $id
    deletePredictions: $deletePredictions
    force: $force
    reason: $reason
    expectedPredictions: $expectedPredictions
  ) {
    deletedJobId
    receipt {
      ...ReceiptFields
    }
    job {
      ...JobFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment ReceiptFields on DeletionReceipt {
  id
  jobId
  jobKind
  jobStatus
  fileName
  jobCreatedAt
  jobStartedAt
  jobFinishedAt
  jobCreatedBy {
    id
    name
  }
  errorMessage
  deletedAt
  deletedBy {
    id
    name
  }
  trigger
  reason
  force
  deletePredictions
  deletedAnnualPredictions
  deletedQuarterlyPredictions
  releasedPredictions
  artifacts {
    total
    pending
    bytes
    lastError
    completedAt
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

DELETE_JOBS_GQL = """
mutation DeleteJobs($ids: [ID!]!, $deletePredictions: Boolean, $force: Boolean, $reason: String, $expected: [JobExpectation!]) {
  deleteJobs(
    ids: $ids
    deletePredictions: $deletePredictions
    force: $force
    reason: $reason
    expected: $expected
  ) {
    receipts {
      ...ReceiptFields
    }
    refused {
      ...RefusalFields
    }
    userErrors {
      ...UserErrorFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment ReceiptFields on DeletionReceipt {
  id
  jobId
  jobKind
  jobStatus
  fileName
  jobCreatedAt
  jobStartedAt
  jobFinishedAt
  jobCreatedBy {
    id
    name
  }
  errorMessage
  deletedAt
  deletedBy {
    id
    name
  }
  trigger
  reason
  force
  deletePredictions
  deletedAnnualPredictions
  deletedQuarterlyPredictions
  releasedPredictions
  artifacts {
    total
    pending
    bytes
    lastError
    completedAt
  }
}

fragment RefusalFields on JobRefusal {
  jobId
  error {
    ...UserErrorFields
  }
  job {
    ...JobFields
  }
  receipt {
    ...ReceiptFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

GET_VIEWER_GQL = """
query GetViewer {
  viewer {
    user {
      id
      name
    }
    organization {
      id
      name
    }
    role
  }
}
"""

GET_JOB_GQL = """
query GetJob($id: ID!) {
  job(id: $id) {
    ...JobFields
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}
"""

LIST_JOBS_GQL = """
query ListJobs($first: Int, $after: String, $filter: JobFilter, $orderBy: JobOrder) {
  jobs(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    nodes {
      ...JobFields
    }
    pageInfo {
      ...PageFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment PageFields on PageInfo {
  hasNextPage
  endCursor
}
"""

LIST_PREDICTIONS_GQL = """
query ListPredictions($id: ID!, $first: Int, $after: String) {
  job(id: $id) {
    predictions(first: $first, after: $after) {
      nodes {
        ...PredictionFields
      }
      pageInfo {
        ...PageFields
      }
    }
  }
}

fragment PageFields on PageInfo {
  hasNextPage
  endCursor
}

fragment PredictionFields on Prediction {
  __typename
  id
  company {
    id
    symbol
    name
    sector
    marketCap
  }
  reportingYear
  reportingQuarter
  probability
  riskLevel
  confidence
  linkSource
  predictedAt
  createdAt
  ... on AnnualPrediction {
    longTermDebtToTotalCapital
    totalDebtToEbitda
    netIncomeMargin
    ebitToInterestExpense
    returnOnAssets
  }
  ... on QuarterlyPrediction {
    totalDebtToEbitda
    sgaMargin
    longTermDebtToTotalCapital
    returnOnCapital
    logisticProbability
    gbmProbability
  }
}
"""

LIST_ROW_ERRORS_GQL = """
query ListRowErrors($id: ID!, $first: Int, $after: String) {
  job(id: $id) {
    rowErrors(first: $first, after: $after) {
      nodes {
        line
        column
        code
        message
      }
      pageInfo {
        ...PageFields
      }
    }
  }
}

fragment PageFields on PageInfo {
  hasNextPage
  endCursor
}
"""

PREVIEW_DELETION_GQL = """
query PreviewDeletion($ids: [ID!]!, $force: Boolean) {
  deletionPreview(ids: $ids, force: $force) {
    deletable {
      job {
        ...JobFields
      }
      annualPredictions
      quarterlyPredictions
      byLinkSource {
        linkSource
        count
      }
      unlinkedLookAlikes
      artifacts
      bytes
    }
    refused {
      ...RefusalFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}

fragment ReceiptFields on DeletionReceipt {
  id
  jobId
  jobKind
  jobStatus
  fileName
  jobCreatedAt
  jobStartedAt
  jobFinishedAt
  jobCreatedBy {
    id
    name
  }
  errorMessage
  deletedAt
  deletedBy {
    id
    name
  }
  trigger
  reason
  force
  deletePredictions
  deletedAnnualPredictions
  deletedQuarterlyPredictions
  releasedPredictions
  artifacts {
    total
    pending
    bytes
    lastError
    completedAt
  }
}

fragment RefusalFields on JobRefusal {
  jobId
  error {
    ...UserErrorFields
  }
  job {
    ...JobFields
  }
  receipt {
    ...ReceiptFields
  }
}

fragment UserErrorFields on UserError {
  code
  message
  field
}
"""

GET_RECEIPT_GQL = """
query GetReceipt($jobId: ID!) {
  deletionReceipt(jobId: $jobId) {
    ...ReceiptFields
  }
}

fragment ReceiptFields on DeletionReceipt {
  id
  jobId
  jobKind
  jobStatus
  fileName
  jobCreatedAt
  jobStartedAt
  jobFinishedAt
  jobCreatedBy {
    id
    name
  }
  errorMessage
  deletedAt
  deletedBy {
    id
    name
  }
  trigger
  reason
  force
  deletePredictions
  deletedAnnualPredictions
  deletedQuarterlyPredictions
  releasedPredictions
  artifacts {
    total
    pending
    bytes
    lastError
    completedAt
  }
}
"""

LIST_RECEIPTS_GQL = """
query ListReceipts($first: Int, $after: String, $filter: DeletionReceiptFilter) {
  deletionReceipts(first: $first, after: $after, filter: $filter) {
    nodes {
      ...ReceiptFields
    }
    pageInfo {
      ...PageFields
    }
  }
}

fragment PageFields on PageInfo {
  hasNextPage
  endCursor
}

fragment ReceiptFields on DeletionReceipt {
  id
  jobId
  jobKind
  jobStatus
  fileName
  jobCreatedAt
  jobStartedAt
  jobFinishedAt
  jobCreatedBy {
    id
    name
  }
  errorMessage
  deletedAt
  deletedBy {
    id
    name
  }
  trigger
  reason
  force
  deletePredictions
  deletedAnnualPredictions
  deletedQuarterlyPredictions
  releasedPredictions
  artifacts {
    total
    pending
    bytes
    lastError
    completedAt
  }
}
"""

WATCH_JOBS_GQL = """
subscription WatchJobs($jobId: ID) {
  jobEvents(jobId: $jobId) {
    type
    jobId
    at
    job {
      ...JobFields
    }
  }
}

fragment ArtifactFields on Artifact {
  id
  kind
  name
  size
  sha256
  createdAt
  downloadUrl
}

fragment JobFields on Job {
  id
  kind
  status
  origin
  fileName
  fileSize
  errorMessage
  createdAt
  startedAt
  finishedAt
  progress {
    total
    processed
    succeeded
    failed
  }
  createdBy {
    id
    name
  }
  organization {
    id
    name
  }
  cancellation {
    at
    reason
    notes
    by {
      id
      name
    }
  }
  hold {
    at
    reason
    by {
      id
      name
    }
  }
  can {
    cancel
    delete
    forceDelete
    hold
    retry
  }
  artifacts {
    ...ArtifactFields
  }
}
"""
