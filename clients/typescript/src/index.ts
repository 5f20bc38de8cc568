export type { DeleteJobOptions, DeleteJobsOptions, DeletedJobs, DeletionPreview } from './deletion.js';
export { DeletionInterrupted } from './deletion.js';
export type { UserError } from './errors.js';
export { JoblinkError, UserErrors } from './errors.js';
export type { JobEvent } from './events.js';
export type {
  ArtifactFieldsFragment as Artifact,
  ArtifactKind,
  DeletionReceiptFilter,
  DeletionTrigger,
  ErrorCode,
  JobEventType,
  JobExpectation,
  JobFieldsFragment as Job,
  JobFilter,
  JobOrder,
  JobOrderField,
  JobOrigin,
  JobStatus,
  LinkSource,
  OrderDirection,
  PredictionFieldsFragment as Prediction,
  PredictionKind,
  ReceiptFieldsFragment as Receipt,
  RefusalFieldsFragment as Refusal,
  RiskLevel,
  Role,
  RowErrorCode,
} from './generated/operations.js';
export type { CancelOptions, JobsOptions, ListOptions, ReceiptsOptions, RowError, UploadOptions, Viewer, WaitOptions } from './joblink.js';
export { Joblink } from './joblink.js';
export type { CallOptions, JoblinkOptions } from './transport.js';
export type { UploadProgress } from './upload.js';
