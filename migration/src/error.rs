//! What went wrong, in one sentence for an operator.

use sea_orm_migration::sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{Error as DriverError, error::DatabaseError},
};

/// SQLSTATE `insufficient_privilege`.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// SQLSTATE `read_only_sql_transaction`.
const READ_ONLY: &str = "25006";

/// What went wrong, and whether the database refused (exit code 3) or something failed (exit code 1).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was changed, because it would break a promise; says which and what to do.
    #[error("{0}")]
    Refused(String),
    /// Something failed; says what.
    #[error("{0}")]
    Failed(String),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::Migration(reason) => Self::Refused(reason),
            error => Self::Failed(plain(&error)),
        }
    }
}

impl From<DriverError> for Error {
    fn from(error: DriverError) -> Self {
        DbErr::Exec(RuntimeErr::SqlxError(error.into())).into()
    }
}

/// A database error in one line, without the names of the layers it passed through.
pub fn plain(error: &DbErr) -> String {
    let text = match (error, driver_error(error)) {
        (_, Some(DriverError::Database(error))) => {
            let said = error.message();
            match error.code().as_deref() {
                Some(INSUFFICIENT_PRIVILEGE) => {
                    format!("this database user may not do that ({said}); use the user that owns the tables")
                }
                Some(READ_ONLY) => {
                    format!("the database takes no changes ({said}); use the primary, or a user who may write")
                }
                _ => said.to_owned(),
            }
        }
        (_, Some(DriverError::Io(_))) => "the connection to the database broke; run it again".to_owned(),
        (DbErr::Custom(text), _) => text.clone(),
        _ => error.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

/// Whether a database answered with one of these SQLSTATEs: a server words its messages in its own language.
pub fn is_code(error: &DbErr, codes: &[&str]) -> bool {
    driver_error(error).is_some_and(|error| has_code(error, codes))
}

/// As [`is_code`], of the driver's own error.
pub fn has_code(error: &DriverError, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| codes.contains(&&*code))
}

fn driver_error(error: &DbErr) -> Option<&DriverError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Why a database could not be opened. The URL holds a password, so only its host is named.
pub fn unreachable(url: &str, error: &DbErr) -> Error {
    if let Some(file) = sqlite_file(url) {
        return Error::Failed(format!("cannot open the SQLite file {file}: {}", plain(error)));
    }
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = place.split(['/', '?']).next().unwrap_or_default();
    let host = place.rsplit('@').next().unwrap_or_default();
    Error::Failed(match driver_error(error) {
        Some(DriverError::Database(error)) => format!("the database server {host} refuses: {}", error.message()),
        Some(DriverError::Io(_) | DriverError::PoolTimedOut) => {
            format!("no answer from the database server {host}; is it running, and is the address right?")
        }
        None | Some(DriverError::Configuration(_)) => "the database URL cannot be read; it should look like \
             postgres://USER:PASSWORD@HOST/NAME, with special characters in the password as %XX"
            .to_owned(),
        Some(_) => format!("cannot use the database server {host}: {}", plain(error)),
    })
}

/// What a URL names, for people: without who connects.
pub fn place(url: &str) -> String {
    if let Some(file) = sqlite_file(url) {
        return std::fs::canonicalize(file).map_or_else(|_| file.to_owned(), |file| file.display().to_string());
    }
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let place = place.split('?').next().unwrap_or_default();
    place.rsplit('@').next().unwrap_or_default().to_owned()
}

/// The file of a SQLite URL.
pub fn sqlite_file(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    rest.split('?').next()
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn names_tell_no_password() {
        assert_eq!(place("postgres://user:secret@a:1,b:2/joblink?sslmode=require"), "a:1,b:2/joblink");
        assert_eq!(place("postgres://b/joblink"), "b/joblink");
        assert_eq!(place("sqlite://none/of/these.db?mode=rwc"), "none/of/these.db");
    }
}
