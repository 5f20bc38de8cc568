//! The schema of a database as text, for comparing.

use tests::Engine;

use super::site::Site;

/// Tables, columns, indexes and constraints, a line each.
const POSTGRES: &str = "
    SELECT c.relname || ' column ' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) || ' ' || a.attname || ' '
        || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
        || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text || a.attgenerated::text
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT t.relname || ' index ' || pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT t.relname || ' constraint ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
        || CASE WHEN c.convalidated THEN '' ELSE ' NOT VALID' END
    FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
    WHERE t.relnamespace = current_schema()::regnamespace
    UNION ALL
    SELECT c.relname || ' is ' || c.relkind::text || c.relpersistence::text || coalesce(c.reloptions::text, '')
    FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind NOT IN ('i', 'I')
    UNION ALL
    SELECT t.relname || ' trigger ' || g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    WHERE t.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal";
const SQLITE: &str = "SELECT tbl_name || ' ' || type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_master \
     WHERE name NOT LIKE 'sqlite_%'";
const LEDGER: &str = "seaql_migrations";
/// What tells of migrations, and holds nothing else.
const BOOKKEEPING: [&str; 2] = [LEDGER, "joblink_migration_"];

impl Site {
    /// The schema, without the ledger of migrations and what belongs to it.
    pub async fn schema(&self) -> Vec<String> {
        let mut lines = self.whole_schema().await;
        lines.retain(|line| BOOKKEEPING.iter().all(|name| !line.starts_with(name)));
        lines
    }

    /// The schema with the ledger's table and rows.
    pub async fn schema_and_ledger(&self) -> Vec<String> {
        let mut lines = self.whole_schema().await;
        lines.extend(self.ledger().await.into_iter().map(|name| format!("applied {name}")));
        lines
    }

    /// The applied migrations.
    pub async fn ledger(&self) -> Vec<String> {
        if self.whole_schema().await.iter().any(|line| line.starts_with(LEDGER)) {
            self.strings(&format!("SELECT version FROM {LEDGER}")).await
        } else {
            Vec::new()
        }
    }

    async fn whole_schema(&self) -> Vec<String> {
        self.strings(match self.engine {
            Engine::Sqlite => SQLITE,
            Engine::Postgres => POSTGRES,
        })
        .await
    }
}

/// Fails with the lines in which two schemas differ.
#[track_caller]
pub fn same(left: &[String], right: &[String], what: &str) {
    let only = |these: &[String], those: &[String]| -> String {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("  {line}\n")).collect()
    };
    assert!(left == right, "{what}\nonly left:\n{}only right:\n{}", only(left, right), only(right, left));
}
