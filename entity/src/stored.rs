//! The enums stored in columns, each with the string that stands for it in the database.

/// An enum stored as text. `from_stored` answers `None` for a string that this version does not know.
macro_rules! stored {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The string that stands for this value in the database.
            pub const fn as_stored(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value that a stored string stands for; `None` for an unknown string.
            pub fn from_stored(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

stored!(
    /// Which of the two prediction tables a job writes to and a prediction stands in.
    Kind {
        /// `annual_predictions`
        Annual = "annual",
        /// `quarterly_predictions`
        Quarterly = "quarterly",
    }
);

stored!(
    /// How a prediction's link to its job is known.
    LinkSource {
        /// The job wrote the prediction and the link together.
        Upload = "upload",
        /// The operator's own list named the job.
        Manifest = "manifest",
        /// The job's input file lists the row.
        SourceFile = "source_file",
        /// Exactly one job was at work at the time.
        TimeWindow = "time_window",
        /// The job was deleted and the prediction kept.
        Released = "released",
    }
);

stored!(
    /// How likely a default is, in four steps.
    RiskLevel {
        /// Up to 2 %.
        Low = "LOW",
        /// From 2 %.
        Medium = "MEDIUM",
        /// From 5 %.
        High = "HIGH",
        /// Above 15 %.
        Critical = "CRITICAL",
    }
);

stored!(
    /// Why a row of an input file was not stored.
    RowErrorCode {
        /// The company already has a prediction for that period.
        Duplicate = "duplicate",
        /// A required cell is empty.
        MissingValue = "missing_value",
        /// A cell holds something of the wrong type.
        InvalidValue = "invalid_value",
        /// A number is larger than its column can hold.
        OutOfRange = "out_of_range",
        /// The line is not a row of this table.
        Malformed = "malformed",
    }
);

stored!(
    /// What a file of a job is.
    ArtifactKind {
        /// The uploaded file.
        Input = "input",
        /// What happened, readable.
        Log = "log",
        /// Each row with its prediction or its error.
        Results = "results",
    }
);

stored!(
    /// What set a deletion off.
    DeletionTrigger {
        /// A caller asked for it.
        Request = "request",
        /// The retention policy asked for it.
        Retention = "retention",
    }
);

stored!(
    /// How a run of the backfill stands.
    BackfillStatus {
        /// At work, or interrupted and to be continued.
        Running = "running",
        /// It came to its end.
        Completed = "completed",
        /// Its links are being taken back, or that was cut off.
        Undoing = "undoing",
        /// Its links were taken back.
        Undone = "undone",
    }
);

stored!(
    /// Why the backfill left a prediction without a link.
    UnresolvedReason {
        /// Two jobs or more could have made it, or its job or a hand.
        Ambiguous = "ambiguous",
        /// Counts, transactions or files disagree.
        Contradicted = "contradicted",
        /// A row alone that no job explains.
        ByHand = "by_hand",
        /// A job that is gone made it.
        JobDeleted = "job_deleted",
        /// Nothing names a job.
        NoCandidate = "no_candidate",
    }
);

stored!(
    /// What a caller did or tried.
    AuditAction {
        /// `createJob`
        CreateJob = "create_job",
        /// `retryJob`
        RetryJob = "retry_job",
        /// `cancelJob`
        CancelJob = "cancel_job",
        /// `holdJob`
        HoldJob = "hold_job",
        /// `releaseJobHold`
        ReleaseHold = "release_hold",
        /// `deleteJob`, `deleteJobs`
        DeleteJob = "delete_job",
        /// `joblink artifacts sweep`
        Sweep = "sweep",
        /// `deletePredictions`
        DeletePredictions = "delete_predictions",
        /// `migration backfill run`
        BackfillRun = "backfill_run",
        /// `migration backfill undo`
        BackfillUndo = "backfill_undo",
        /// The files of a job were removed, the job was kept.
        CleanJob = "clean_job",
        /// A run of the retention policy.
        RetentionRun = "retention_run",
    }
);

stored!(
    /// How it ended.
    AuditOutcome {
        /// It was done.
        Done = "done",
        /// It was refused, and nothing changed.
        Refused = "refused",
        /// It failed, and nothing changed but what the entry names.
        Failed = "failed",
    }
);

stored!(
    /// What happened to a job.
    JobEventType {
        /// It was made.
        Created = "created",
        /// Rows were committed.
        Progress = "progress",
        /// Its status or its hold changed, or its files were removed.
        Status = "status",
        /// It was deleted.
        Deleted = "deleted",
    }
);

stored!(
    /// What the retention policy does to a job.
    RetentionAction {
        /// Nothing.
        Keep = "keep",
        /// Its files are removed; its record, row errors and predictions are kept.
        Clean = "clean",
        /// It is deleted.
        Delete = "delete",
    }
);

stored!(
    /// What set a run of the retention policy off.
    RetentionTrigger {
        /// The schedule of a server.
        Schedule = "schedule",
        /// The command line, without a server.
        Command = "command",
        /// A caller of the API.
        Request = "request",
    }
);

stored!(
    /// How something is told.
    Channel {
        /// A signed HTTP request.
        Webhook = "webhook",
        /// A mail.
        Mail = "mail",
    }
);

stored!(
    /// What is told. Receivers see these names.
    NotifiedEvent {
        /// A job was deleted, by whatever.
        JobDeleted = "job.deleted",
        /// A run of the retention policy came to its end.
        RunFinished = "retention_run.finished",
        /// It came to its end, and some jobs could not be dealt with.
        RunFailed = "retention_run.failed",
        /// It was cut off, and goes on later.
        RunInterrupted = "retention_run.interrupted",
    }
);
