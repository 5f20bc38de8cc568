//! What went wrong, for those who must tell it apart; and what was refused, which is an answer and not an error.

use std::any::Any;

use artifacts::{StoreError, table::TableError};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// Something failed that the caller cannot mend. Masked at the edge, logged with its source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database answered with an error or not at all.
    #[error("database: {0}")]
    Database(#[from] DbErr),
    /// The database did not answer a commit: what was to be committed may be there, or not.
    #[error("no answer to a commit: {0}")]
    CommitUnknown(DbErr),
    /// The artifact store answered with an error or not at all.
    #[error(transparent)]
    Store(#[from] artifacts::StoreError),
    /// The artifact store is another one than before: nothing that it answers is about this database's files.
    #[error("the artifact store is not the one that this database uses; it is empty or not mounted")]
    StoreReplaced,
    /// A test asked for a failure at this checkpoint.
    #[error("failure injected at {0}")]
    Injected(&'static str),
    /// The job is another worker's, or gone.
    #[error("the job is no longer this worker's")]
    Gone,
    /// A file is no table, or only the beginning of one; one sentence for people.
    #[error("{0}")]
    Unreadable(String),
    /// The machine's own disk failed under a file that is read.
    #[error("temporary file: {0}")]
    Disk(std::io::Error),
    /// A file could not be put together.
    #[error("cannot write a file: {0}")]
    Format(String),
    /// A mistake of the program, and its message.
    #[error("the program panicked: {0}")]
    Panicked(String),
    /// A task of the program itself ended without an answer.
    #[error("a task ended without an answer: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<TableError<StoreError>> for Error {
    fn from(error: TableError<StoreError>) -> Self {
        match error {
            TableError::Source(error) => Self::Store(error),
            TableError::Disk(error) => Self::Disk(error),
            TableError::Workbook(fault) => Self::Unreadable(fault.to_string()),
        }
    }
}

impl Error {
    /// What a failed commit means: an error that the database itself answered undid it, any other says nothing.
    pub fn of_commit(error: DbErr) -> Self {
        // SQLSTATE classes 08 (the connection failed, as a pooler in between may answer) and 57P (the server is shutting
        // down) and 40003 (statement_completion_unknown) say nothing either.
        let open = |code: &str| code.starts_with("08") || code.starts_with("57P") || code == "40003";
        if database_code(&error).is_some_and(|code| !open(&code)) {
            Self::Database(error)
        } else {
            Self::CommitUnknown(error)
        }
    }

    /// What a panic says.
    pub fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self::Panicked(text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default())
    }

    /// Whether the same transaction may succeed when it is tried again: a serialization failure, a deadlock, or a
    /// database that another writer holds.
    pub fn is_transient(&self) -> bool {
        // SQLSTATE 40001 serialization_failure, 40P01 deadlock_detected; SQLITE_BUSY 5 and SQLITE_BUSY_SNAPSHOT 517.
        matches!(self, Self::Database(error)
            if database_code(error).is_some_and(|code| matches!(code.as_str(), "40001" | "40P01" | "5" | "517")))
    }

    /// Whether the connection was lost before anything was committed, so that the same may be done again on another one.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Database(error) if is_lost(error))
    }

    /// What is not tried, as the database is away.
    pub const fn away() -> Self {
        Self::Database(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
    }

    /// Whether it is about files, and not about what the database holds.
    pub const fn is_of_files(&self) -> bool {
        matches!(self, Self::Store(_) | Self::StoreReplaced | Self::Disk(_) | Self::Format(_) | Self::Unreadable(_))
    }

    /// Whether the database cannot be reached or has no connection to spare.
    pub fn is_busy(&self) -> bool {
        let (Self::Database(error) | Self::CommitUnknown(error)) = self else { return false };
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            _ => match sqlx_error(error) {
                Some(sea_orm::sqlx::Error::PoolTimedOut) => true,
                _ => self.is_transient() || is_lost(error),
            },
        }
    }
}

/// Whether the connection is lost, or leads to a host that takes no changes any more. That no connection was free in time is
/// not: it has been waited for.
pub fn is_lost(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)) {
        return true;
    }
    // SQLSTATE class 08, the connection failed; class 57P, the server is shutting down or starting; 25006
    // read_only_sql_transaction.
    let lost = |code: &str| code.starts_with("08") || code.starts_with("57P") || code == "25006";
    match sqlx_error(error) {
        Some(sea_orm::sqlx::Error::Io(_) | sea_orm::sqlx::Error::PoolClosed | sea_orm::sqlx::Error::WorkerCrashed) => {
            true
        }
        _ => database_code(error).is_some_and(|code| lost(&code)),
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sea_orm::sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn database_code(error: &DbErr) -> Option<String> {
    Some(sqlx_error(error)?.as_database_error()?.code()?.into_owned())
}

/// Why something expected was refused; the contract's `ErrorCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// No such job, or not the caller's to see.
    JobNotFound,
    /// Deleted before.
    JobAlreadyDeleted,
    /// The job is pending or running.
    JobInProgress,
    /// The job is in another state than this needs.
    InvalidState,
    /// The job must not be deleted until its hold is lifted.
    JobOnHold,
    /// The number of linked predictions is not the one that was shown.
    PreviewStale,
    /// A bad argument.
    ValidationFailed,
    /// The file cannot be used.
    InvalidFile,
    /// The caller's role is too low.
    Forbidden,
    /// No such thing, or not the caller's to see.
    NotFound,
}

impl ErrorCode {
    const ALL: [Self; 10] = [
        Self::JobNotFound,
        Self::JobAlreadyDeleted,
        Self::JobInProgress,
        Self::InvalidState,
        Self::JobOnHold,
        Self::PreviewStale,
        Self::ValidationFailed,
        Self::InvalidFile,
        Self::Forbidden,
        Self::NotFound,
    ];

    /// The code of this name; `None` for one that this version does not know.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// The name in the contract, also in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobNotFound => "JOB_NOT_FOUND",
            Self::JobAlreadyDeleted => "JOB_ALREADY_DELETED",
            Self::JobInProgress => "JOB_IN_PROGRESS",
            Self::InvalidState => "INVALID_STATE",
            Self::JobOnHold => "JOB_ON_HOLD",
            Self::PreviewStale => "PREVIEW_STALE",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::InvalidFile => "INVALID_FILE",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
        }
    }
}

/// A refusal: what the caller is told, and the argument at fault where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which kind.
    pub code: ErrorCode,
    /// One sentence.
    pub message: String,
    /// The path of the argument at fault.
    pub field: Option<Vec<String>>,
}

impl Refusal {
    /// A refusal that no single argument caused.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// Names the argument at fault.
    pub fn at(self, field: &[&str]) -> Self {
        Self { field: Some(field.iter().map(ToString::to_string).collect()), ..self }
    }

    /// The answer to an id that is unknown, foreign or no id at all.
    pub fn job_not_found() -> Self {
        Self::new(ErrorCode::JobNotFound, "Job not found")
    }
}
