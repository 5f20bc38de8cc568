//! The lock of a SQLite database: the operating system lets go of it when its holder ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
};

use sea_orm_migration::sea_orm::DatabaseConnection;

use super::Waiting;
use crate::{Error, catalogue::strings};

/// The lock, for as long as its file is open. The file says who holds it.
pub struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        // So that nobody is told of a holder that has gone. What a killed one leaves is overwritten by the next.
        _ = self.0.set_len(0);
    }
}

/// Takes it. `None`: a database in memory, which nobody else can reach.
pub async fn take(db: &DatabaseConnection, holder: &str, waiting: &mut Waiting) -> Result<Option<FileLock>, Error> {
    let files = strings(db, "SELECT file FROM pragma_database_list WHERE name = 'main'").await?;
    let Some(database) = files.into_iter().find(|file| !file.is_empty()) else { return Ok(None) };
    // Beside the database and never removed: who waits has it open, and who comes must find the same.
    let path = format!("{database}-migration");
    let failed = |error: std::io::Error| Error::Failed(format!("cannot lock {path}: {}", error.kind()));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                file.rewind().and_then(|()| file.read_to_string(&mut other)).map_err(failed)?;
                waiting.on(other.trim_end()).await?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{holder}, since {}", chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC")))
        .map_err(failed)?;
    Ok(Some(FileLock(file)))
}
