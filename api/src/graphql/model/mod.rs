//! The types of the contract, one file a subject. Doc comments are the contract's descriptions.

mod audit;
mod backfill;
mod company;
mod deletion;
mod enums;
mod event;
mod job;
pub mod node;
mod prediction;
mod refusal;
mod retention;
mod viewer;

pub use audit::AuditEntry;
pub use backfill::{BackfillDecision, BackfillRun, UnresolvedPrediction};
pub use company::Company;
pub use deletion::{DeletionPreview, DeletionReceipt, JobRefusal, Refused};
pub use enums::{
    AuditAction, AuditOutcome, DeletionTrigger, JobOrderField, JobOrigin, JobStatus, LinkSource, OrderDirection,
    PredictionKind, RiskLevel,
};
pub use event::JobEvent;
pub use job::{Job, RowError};
pub use node::Node;
pub use prediction::{AnnualPrediction, Prediction, QuarterlyPrediction};
pub use refusal::UserError;
pub use retention::{RetentionItem, RetentionPolicy, RetentionPolicyInput, RetentionPreview, RetentionRun};
pub use viewer::Viewer;
