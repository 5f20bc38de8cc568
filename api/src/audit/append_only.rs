//! Whether the database keeps this server from changing entries of the audit log. SQLite's triggers do; PostgreSQL goes by
//! the rights of the user.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::database::Database;

/// Which rights to change entries the user has, who it is, and whether it is a superuser, from whom no right can be taken.
const RIGHTS: &str = "SELECT concat_ws(', ', \
     CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, \
     CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END, \
     CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END), quote_ident(current_user), r.rolsuper \
     FROM pg_class c JOIN pg_roles r ON r.rolname = current_user \
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = 'audit_log'";

/// What to tell the operator where this database user may change entries.
pub async fn warning(db: &Database) -> Result<Option<String>, DbErr> {
    if db.backend() == DbBackend::Sqlite {
        return Ok(None);
    }
    let statement = Statement::from_string(db.backend(), RIGHTS);
    let Some(row) = db.reader().query_one_raw(statement).await? else { return Ok(None) };
    let (rights, user): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    if rights.is_empty() {
        return Ok(None);
    }
    let what_to_do = if row.try_get_by_index(2)? {
        "it is a superuser, so let the server connect as a user that is none".to_owned()
    } else {
        format!("run `REVOKE {rights} ON audit_log FROM {user}`, and from roles that it has them by")
    };
    Ok(Some(format!(
        "the audit log is not append-only for this server, whose database user {user} may change its entries ({rights}): \
         {what_to_do}"
    )))
}
