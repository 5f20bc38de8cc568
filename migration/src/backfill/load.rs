//! What a run sees of others' trouble, and when it waits for them.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::counted::counted;

/// A standby that is less than this behind is no reason to wait, in bytes of the log.
const LAG_ALLOWED: i64 = 16 * 1024 * 1024;

/// In the order of the fields of [`Load`]. A role without `pg_monitor` sees nothing of other roles' sessions and standbys but
/// that they are there. A session that holds a transaction open and does nothing is none that could be disturbed.
const LOAD: &str = "
    SELECT (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint FROM pg_stat_replication),
        (SELECT count(*) FROM pg_stat_replication WHERE state IS NULL),
        (SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE NOT l.granted AND a.datname = current_database()
            AND a.application_name IS DISTINCT FROM current_setting('application_name')),
        (SELECT count(*) FROM pg_stat_activity
            WHERE (backend_type = 'client backend' OR backend_type IS NULL AND datname IS NOT NULL)
            AND application_name IS DISTINCT FROM current_setting('application_name')
            AND (state IS NULL OR state NOT LIKE 'idle%' OR state_change > statement_timestamp() - INTERVAL '2 seconds'))";

/// The load of a PostgreSQL server at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How far the furthest standby is behind, in bytes of the log.
    pub lag: i64,
    /// How many standbys do not show this role how far they are behind.
    pub hidden: i64,
    /// How many sessions of the database wait for locks, without those of this program.
    pub waiting: i64,
    /// How many sessions of others are at work, or were a moment ago. One of which that cannot be seen counts.
    pub others: i64,
}

impl Load {
    /// Looks; `None` where the database does not tell.
    pub async fn of(db: &impl ConnectionTrait) -> Option<Self> {
        if db.get_database_backend() == DbBackend::Sqlite {
            return None;
        }
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), LOAD)).await.ok()??;
        let [lag, hidden, waiting, others] = [0, 1, 2, 3].map(|place| row.try_get_by_index(place).ok());
        Some(Self { lag: lag?, hidden: hidden?, waiting: waiting?, others: others? })
    }

    /// What grows and so is a reason to wait.
    pub fn growing_since(self, before: Self) -> Option<String> {
        if self.lag > before.lag && self.lag > LAG_ALLOWED {
            Some(format!("a standby is {} MB behind", self.lag / 1_000_000))
        } else if self.waiting > before.waiting {
            let wait = if self.waiting == 1 { "waits" } else { "wait" };
            Some(format!("{} {wait} for locks", counted(self.waiting, "session")))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_waited_for_and_what_stays_is_not() {
        let load = |lag, waiting| Load { lag, waiting, ..Load::default() };
        assert_eq!(load(1_000, 0).growing_since(load(0, 0)), None);
        assert_eq!(
            load(50_000_000, 0).growing_since(load(20_000_000, 0)),
            Some("a standby is 50 MB behind".to_owned())
        );
        assert_eq!(load(50_000_000, 0).growing_since(load(50_000_000, 0)), None);
        assert_eq!(load(40_000_000, 0).growing_since(load(50_000_000, 0)), None);
        assert_eq!(load(0, 3).growing_since(load(0, 1)), Some("3 sessions wait for locks".to_owned()));
        assert_eq!(load(0, 3).growing_since(load(0, 3)), None);
    }
}
