//! At which step of what a program is killed, and how many jobs there are in the end, by their status.

/// What there is before the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// A file that was sent ahead.
    Upload,
    /// A job that no worker has taken.
    Pending,
    /// A job that was cancelled before a worker took it.
    Cancelled,
    /// A job that ran to its end.
    Ended,
    /// The same, deleted; its files are not purged yet.
    Deleted,
    /// A job that ran to its end, and a run of the retention policy that is to clean it, and that nobody has taken.
    ToClean,
    /// The same, that is to delete it with its predictions.
    ToDelete,
    /// Files that belong to nobody, of two jobs that do not exist, an ended job and an upload.
    Strays,
}

/// What is asked of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing; it does by itself what it does.
    Wait,
    /// `createJob` with the file.
    Create,
    /// `POST /uploads`.
    Send,
    /// `POST /uploads` of a file that never ends.
    SendForEver,
    /// `createJob` of the file that was sent ahead; asked again after the crash.
    CreateStaged,
    Cancel,
    Retry,
    /// `deleteJob` with its predictions.
    Delete,
    /// The same by force, of a job whose first batch is committed.
    DeleteRunning,
    /// `cancelJob`, of a job whose first batch is committed.
    CancelRunning,
}

pub struct Case {
    pub before: Before,
    pub act: Act,
    /// What the program is told.
    pub program: &'static [&'static str],
    /// The jobs that are there in the end.
    pub left: &'static [&'static str],
}

const fn case(before: Before, act: Act, program: &'static [&'static str], left: &'static [&'static str]) -> Case {
    Case { before, act, program, left }
}

const NONE: &[&str] = &[];
const DONE: &[&str] = &["completed"];
const STOPPED: &[&str] = &["cancelled"];

/// Making a job.
pub const CREATE: &[Case] = &[
    case(Before::Nothing, Act::Create, &["idle", "kill=FileReceived"], NONE),
    case(Before::Nothing, Act::Create, &["idle", "kill=JobBeforeInsert"], NONE),
    case(Before::Nothing, Act::Create, &["idle", "kill=JobBeforeCommit"], NONE),
    case(Before::Nothing, Act::Create, &["idle", "kill=JobCommitted"], DONE),
    case(Before::Nothing, Act::Send, &["idle", "kill=FileReceived"], NONE),
    case(Before::Nothing, Act::SendForEver, &["idle"], NONE),
    case(Before::Upload, Act::CreateStaged, &["idle", "kill=JobBeforeInsert"], DONE),
    case(Before::Upload, Act::CreateStaged, &["idle", "kill=JobBeforeCommit"], DONE),
    case(Before::Upload, Act::CreateStaged, &["idle", "kill=JobCommitted"], DONE),
    case(Before::Cancelled, Act::Retry, &["idle", "kill=JobBeforeInsert"], STOPPED),
    case(Before::Cancelled, Act::Retry, &["idle", "kill=JobBeforeCommit"], STOPPED),
    case(Before::Cancelled, Act::Retry, &["idle", "kill=JobCommitted"], &["cancelled", "completed"]),
];

/// Running a job to its end, or to its cancellation.
pub const RUN: &[Case] = &[
    case(Before::Pending, Act::Wait, &["serve", "kill=JobClaimed"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=BatchBegins:2"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=BatchBeforeCommit:2"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=ResultsPiece"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=OutputsWritten"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=JobEndBeforeCommit"], DONE),
    case(Before::Pending, Act::Wait, &["serve", "kill=JobEnded"], DONE),
    case(Before::Pending, Act::Cancel, &["idle", "kill=ChangeBeforeCommit"], DONE),
    case(Before::Pending, Act::CancelRunning, &["serve", "hold=BatchBegins:2", "kill=ChangeBeforeCommit"], DONE),
    case(Before::Pending, Act::CancelRunning, CANCELLED_AND_KILLED[0], STOPPED),
    case(Before::Pending, Act::CancelRunning, CANCELLED_AND_KILLED[1], STOPPED),
    case(Before::Pending, Act::CancelRunning, CANCELLED_AND_KILLED[2], STOPPED),
    case(Before::Pending, Act::CancelRunning, CANCELLED_AND_KILLED[3], STOPPED),
];

/// The worker finds the cancellation at its second batch.
const CANCELLED_AND_KILLED: [&[&str]; 4] = [
    &["serve", "hold=BatchBegins:2", "until=ChangeBeforeCommit", "kill=ResultsPiece"],
    &["serve", "hold=BatchBegins:2", "until=ChangeBeforeCommit", "kill=OutputsWritten"],
    &["serve", "hold=BatchBegins:2", "until=ChangeBeforeCommit", "kill=JobEndBeforeCommit"],
    &["serve", "hold=BatchBegins:2", "until=ChangeBeforeCommit", "kill=JobEnded"],
];

/// Deleting a job, its purge, and the sweep.
pub const DELETE: &[Case] = &[
    case(Before::Ended, Act::Delete, &["idle", "kill=DeletionChecked"], DONE),
    case(Before::Ended, Act::Delete, &["idle", "kill=DeletionBeforeCommit"], DONE),
    case(Before::Ended, Act::Delete, &["idle", "kill=DeletionCommitted"], NONE),
    case(Before::Pending, Act::DeleteRunning, &["serve", "hold=BatchBegins:2", "kill=DeletionBeforeCommit"], DONE),
    case(Before::Pending, Act::DeleteRunning, &["serve", "hold=BatchBegins:2", "kill=DeletionCommitted"], NONE),
    case(Before::Deleted, Act::Wait, &["serve", "kill=PurgeClaimed"], NONE),
    case(Before::Deleted, Act::Wait, &["serve", "kill=PurgeRemoved"], NONE),
    case(Before::Deleted, Act::Wait, &["serve", "kill=PurgeBeforeCommit"], NONE),
    case(Before::Strays, Act::Wait, &["sweep", "kill=SweepRemoved:1"], DONE),
    case(Before::Strays, Act::Wait, &["sweep", "kill=SweepRemoved:2"], DONE),
    case(Before::Strays, Act::Wait, &["sweep", "kill=SweepRemoved:3"], DONE),
];

/// Carrying out a run of the retention policy.
pub const RETAIN: &[Case] = &[
    case(Before::ToClean, Act::Wait, &["serve", "kill=RetentionBatchBegins"], DONE),
    case(Before::ToClean, Act::Wait, &["serve", "kill=RetentionJobBegins"], DONE),
    case(Before::ToClean, Act::Wait, &["serve", "kill=RetentionJobBeforeCommit"], DONE),
    case(Before::ToClean, Act::Wait, &["serve", "kill=RetentionEnds"], DONE),
    case(Before::ToClean, Act::Wait, &["serve", "kill=PurgeRemoved"], DONE),
    case(Before::ToDelete, Act::Wait, &["serve", "kill=RetentionBatchBegins"], NONE),
    case(Before::ToDelete, Act::Wait, &["serve", "kill=RetentionJobBegins"], NONE),
    case(Before::ToDelete, Act::Wait, &["serve", "kill=RetentionJobBeforeCommit"], NONE),
    case(Before::ToDelete, Act::Wait, &["serve", "kill=RetentionEnds"], NONE),
    case(Before::ToDelete, Act::Wait, &["serve", "kill=PurgeRemoved"], NONE),
];
