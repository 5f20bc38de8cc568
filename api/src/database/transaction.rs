//! A transaction that may write.

use std::{
    fmt,
    ops::Deref,
    sync::{Mutex, PoisonError},
};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::site::{Site, until};
use crate::error::Error;

/// A transaction that may write.
pub struct WriteTransaction {
    statements: Statements,
    /// The one writer's turn, on SQLite.
    turn: Option<OwnedMutexGuard<()>>,
    after: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

/// The statements of a transaction: each is broken off when the host is no longer the one that takes changes.
pub struct Statements {
    transaction: DatabaseTransaction,
    ended: Option<CancellationToken>,
}

impl fmt::Debug for WriteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteTransaction")
    }
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statements")
    }
}

impl Statements {
    /// Begins a transaction.
    pub(super) async fn begin(site: &Site) -> Result<Self, DbErr> {
        let begun = site.pool.begin_with_options(TransactionOptions {
            isolation_level: None,
            access_mode: None::<AccessMode>,
            // A deferred transaction that reads first and writes then fails where another one wrote in between.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        });
        Ok(Self { transaction: begun.await?, ended: site.ended().cloned() })
    }
}

impl WriteTransaction {
    pub(super) fn new(statements: Statements, turn: Option<OwnedMutexGuard<()>>) -> Self {
        Self { statements, turn, after: Mutex::default() }
    }

    /// Makes everything in it visible at once. Where the database did not answer it is unknown whether it did.
    pub async fn commit(self) -> Result<(), Error> {
        let Self { statements: Statements { transaction, ended }, turn, after } = self;
        let outcome = until(ended.as_ref(), transaction.commit()).await;
        drop(turn);
        // Also where the database did not answer: it may be there.
        for wake in after.into_inner().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
        outcome.map_err(Error::of_commit)
    }

    /// Calls this when the transaction is committed, to wake whoever waits for what is in it.
    pub fn after_commit(&self, wake: impl FnOnce() + Send + 'static) {
        self.after.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(wake));
    }

    /// Takes everything in it back, and waits until that is done.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { statements: Statements { transaction, ended }, turn, .. } = self;
        let outcome = until(ended.as_ref(), transaction.rollback()).await;
        drop(turn);
        outcome
    }
}

impl Deref for WriteTransaction {
    type Target = Statements;

    fn deref(&self) -> &Statements {
        &self.statements
    }
}

#[sea_orm::entity::prelude::async_trait::async_trait]
impl ConnectionTrait for Statements {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        until(self.ended.as_ref(), self.transaction.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        until(self.ended.as_ref(), self.transaction.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        until(self.ended.as_ref(), self.transaction.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        until(self.ended.as_ref(), self.transaction.query_all_raw(statement)).await
    }
}
