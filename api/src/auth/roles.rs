//! Who may do what: one table, from which every check is answered.

/// What a caller may do, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees the organization's jobs and their receipts; changes their own.
    Member,
    /// Changes all of the organization's.
    OrgAdmin,
    /// Sees and changes everything, personal spaces too.
    Operator,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Member, Self::OrgAdmin, Self::Operator];

    /// The spelling in a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::OrgAdmin => "org_admin",
            Self::Operator => "operator",
        }
    }

    /// The role that a token names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See jobs, their predictions, files and receipts, and companies; watch jobs.
    See,
    /// Make jobs, and send files ahead of them.
    Create,
    /// Cancel a job.
    Cancel,
    /// Run a job's file again.
    Retry,
    /// Delete a job or a single prediction.
    Delete,
    /// Remove the files of a job that has ended, and keep the job.
    Clean,
    /// Forbid deleting a job, and allow it again.
    Hold,
    /// Read the audit log.
    ReadAuditLog,
    /// Read what the backfill decided.
    ReadBackfillRuns,
    /// See the retention policy, what it would do and what its runs did; run it.
    Retention,
}

/// How far it goes. Each goes as far as those before it, and further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// To nothing.
    Nothing,
    /// To what the caller made.
    Own,
    /// To all that is in the caller's space: of the organization for which they act; without one, to what is in no
    /// organization and theirs.
    Space,
    /// To everything, personal spaces too.
    Everything,
}

/// The table: what, how it is called in the documentation, and how far each of [`Role::ALL`] reaches.
///
/// [`Action::See`] comes first in every check: of what a caller does not see, nothing can be done.
pub const TABLE: [(Action, &str, [Reach; 3]); 10] = {
    use Reach::{Everything, Nothing, Own, Space};
    [
        (Action::See, "see jobs, predictions, files, receipts, companies", [Space, Space, Everything]),
        (Action::Create, "create a job", [Own, Own, Own]),
        (Action::Cancel, "cancel a job", [Own, Space, Everything]),
        (Action::Retry, "retry a job", [Own, Space, Everything]),
        (Action::Delete, "delete a job or a prediction", [Own, Space, Everything]),
        (Action::Clean, "clean a job", [Own, Space, Everything]),
        (Action::Hold, "put a job on hold, lift that", [Nothing, Space, Everything]),
        (Action::ReadAuditLog, "read the audit log", [Nothing, Space, Everything]),
        (Action::ReadBackfillRuns, "read what the backfill decided", [Nothing, Nothing, Everything]),
        (Action::Retention, "see and run the retention policy", [Nothing, Nothing, Everything]),
    ]
};

/// How far a role reaches with an action.
pub fn reach(role: Role, action: Action) -> Reach {
    let line = TABLE.iter().find(|(known, ..)| *known == action);
    line.map_or(Reach::Nothing, |(_, _, reaches)| reaches[role as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_reaches_as_far_as_a_lower_one_with_everything() {
        for (action, _, reaches) in TABLE {
            assert!(reaches.is_sorted(), "{action:?}");
            assert_eq!(Role::ALL.map(|role| reach(role, action)), reaches, "{action:?} stands once in the table");
        }
    }

    #[test]
    fn nothing_reaches_further_than_one_sees() {
        for role in Role::ALL {
            let seen = reach(role, Action::See);
            assert!(TABLE.iter().all(|(action, ..)| reach(role, *action) <= seen), "{role:?}");
        }
    }
}
