//! `up` ends in the same schema from every beginning and leaves adopted rows alone; `down` gives the schema of before;
//! the older program goes on working.

use migration::lock::WAIT;
use tests::{Engine, Setup, World};

use super::{
    catalogue::same,
    site::{ADOPTED, MIGRATIONS, Site},
};

tests::on_both!(
    each_migration_can_be_taken_back_and_applied_again,
    down_of_all_gives_the_adopted_schema_of_before_and_up_works_again,
    down_of_all_removes_everything_that_joblink_made,
    missing_adopted_tables_alone_are_made_recorded_and_dropped,
    the_older_program_goes_on_working,
    fresh_refresh_and_reset_work_on_a_database_of_joblinks_own,
);

#[tokio::test]
async fn up_ends_in_the_same_schema_on_an_empty_and_on_an_adopted_database() {
    let made = Site::empty(Engine::Postgres).await;
    made.migrated(&["up"]).await;
    let wanted = made.schema().await;
    assert!(wanted.len() > 200, "{wanted:#?}");
    assert!(!wanted.iter().any(|line| line.ends_with("VALID")), "{wanted:#?}");
    let mut adopted = vec![("fixture", Site::adopted(Engine::Postgres).await)];
    for name in ["utc", "offset"] {
        adopted.extend(Site::dump(name).await.map(|site| (name, site)));
    }
    for (name, site) in adopted {
        let columns = site.columns().await;
        assert!(ADOPTED.iter().all(|table| !columns[table].is_empty()));
        let (schema, data) = (site.schema().await, site.data_in(&columns).await);
        site.migrated(&["up"]).await;
        same(&site.schema().await, &wanted, name);
        assert_eq!(site.data_in(&columns).await, data, "{name}");
        assert_eq!(site.count("SELECT count(*) FROM joblink_made_tables").await, 0);
        let world = World::with(site.engine, Setup { url: Some(site.url.clone()), asleep: true, ..Setup::default() });
        world.await.check_invariants().await;
        site.migrated(&["down", "--num", "99", "--yes"]).await;
        same(&site.schema().await, &schema, name);
        assert_eq!(site.data_in(&columns).await, data, "{name}");
        site.migrated(&["up"]).await;
        same(&site.schema().await, &wanted, name);
    }
}

#[tokio::test]
async fn the_tables_that_joblink_makes_are_those_of_an_existing_installation() {
    let made = Site::empty(Engine::Postgres).await;
    made.migrated(&["up", "--num", "1"]).await;
    let mut schema = made.schema().await;
    schema.retain(|line| !line.starts_with("joblink_made_tables"));
    same(&schema, &Site::adopted(Engine::Postgres).await.schema().await, "first migration");
    if let Some(dump) = Site::dump("utc").await {
        same(&schema, &dump.schema().await, "dump");
    }
}

#[tokio::test]
async fn another_schema_than_public_is_migrated_by_its_name() {
    let site = Site::adopted(Engine::Postgres).await;
    let (public, columns) = (site.everything().await, site.columns().await);
    site.run("CREATE SCHEMA elsewhere").await;
    site.migrated(&["up", "--database-schema", "elsewhere"]).await;
    assert_eq!(site.everything().await, public);
    let there = "SELECT count(*) FROM pg_tables WHERE schemaname = 'elsewhere'";
    // Adopted tables, those of Joblink, and what tells of migrations.
    assert_eq!(site.count(there).await, 28);
    site.migrated(&["reset", "--yes", "--database-schema", "elsewhere"]).await;
    assert_eq!(site.count(there).await, 0);
    assert_eq!(site.columns().await, columns);
}

async fn each_migration_can_be_taken_back_and_applied_again(engine: Engine) {
    let site = Site::adopted(engine).await;
    let columns = site.columns().await;
    let data = site.data_in(&columns).await;
    for number in 0..MIGRATIONS {
        let before = site.schema().await;
        migration::up(&site.db, Some(1), WAIT).await.unwrap();
        let after = site.schema().await;
        assert_eq!(site.ledger().await.len(), number + 1);
        if engine == Engine::Postgres || site.ledger().await[number] != "m0005_wider_ratios" {
            assert_ne!(before, after, "{number}");
        }
        migration::down(&site.db, Some(1), WAIT).await.unwrap();
        same(&site.schema().await, &before, &format!("down {number}"));
        migration::up(&site.db, Some(1), WAIT).await.unwrap();
        same(&site.schema().await, &after, &format!("up again {number}"));
        assert_eq!(site.data_in(&columns).await, data, "{number}");
    }
    assert_eq!(migration::pending(&site.db).await.unwrap(), Vec::<String>::new());
}

async fn down_of_all_gives_the_adopted_schema_of_before_and_up_works_again(engine: Engine) {
    let site = Site::adopted(engine).await;
    let columns = site.columns().await;
    let (schema, data) = (site.schema().await, site.data_in(&columns).await);
    site.migrated(&["up"]).await;
    let migrated = site.schema().await;
    site.migrated(&["down", "--num", "99", "--yes"]).await;
    same(&site.schema().await, &schema, "down");
    assert_eq!(site.data_in(&columns).await, data);
    site.migrated(&["up"]).await;
    same(&site.schema().await, &migrated, "up again");
    assert_eq!(site.data_in(&columns).await, data);
}

async fn down_of_all_removes_everything_that_joblink_made(engine: Engine) {
    let site = Site::empty(engine).await;
    site.run("CREATE TABLE notes (id integer)").await;
    let before = site.schema().await;
    site.migrated(&["up"]).await;
    let migrated = site.schema().await;
    // Rows that refer to each other are no obstacle.
    fill(&site).await;
    site.migrated(&["down", "--num", "99", "--yes"]).await;
    same(&site.schema().await, &before, "down");
    site.migrated(&["up"]).await;
    same(&site.schema().await, &migrated, "up again");
}

async fn missing_adopted_tables_alone_are_made_recorded_and_dropped(engine: Engine) {
    let site = Site::adopted(engine).await;
    site.run(
        "DROP TABLE quarterly_predictions; DROP TABLE annual_predictions;
         DROP TABLE organization_member_whitelist; DROP TABLE companies",
    )
    .await;
    let columns = site.columns().await;
    let (schema, data) = (site.schema().await, site.data_in(&columns).await);
    site.migrated(&["up"]).await;
    let made = ["annual_predictions", "companies", "organization_member_whitelist", "quarterly_predictions"];
    assert_eq!(site.strings("SELECT name FROM joblink_made_tables").await, made);
    if engine == Engine::Postgres {
        same(&site.schema().await, &Site::made(engine).await.schema().await, "partial");
    }
    site.refused(&["reset", "--yes"]).await;
    site.migrated(&["down", "--num", "99", "--yes"]).await;
    same(&site.schema().await, &schema, "down");
    assert_eq!(site.data_in(&columns).await, data);
}

async fn the_older_program_goes_on_working(engine: Engine) {
    let site = Site::adopted(engine).await;
    let columns = site.columns().await;
    site.migrated(&["up"]).await;
    // A second copy of each row, through the old columns alone; then a change; then it goes.
    for (table, columns) in &columns {
        let rows = site.count(&format!("SELECT count(*) FROM {table}")).await;
        let cells: Vec<_> = columns.iter().map(|column| copied(engine, column)).collect();
        let (columns, cells) = (columns.join(", "), cells.join(", "));
        site.run(&format!("INSERT INTO {table} ({columns}) SELECT {cells} FROM {table}")).await;
        assert_eq!(site.count(&format!("SELECT count(*) FROM {table}")).await, rows * 2);
    }
    for (table, columns) in &columns {
        let changes: Vec<_> = columns.iter().map(|column| format!("{column} = {column}")).collect();
        site.run(&format!("UPDATE {table} SET {}", changes.join(", "))).await;
    }
    // A job of the older program goes by plain SQL; what was linked to it stays.
    let (job, other) = (site.id(0x61), site.id(0x62));
    site.run(&format!("UPDATE annual_predictions SET job_id = {job}, job_link = 'time_window'")).await;
    site.run(&format!("UPDATE quarterly_predictions SET job_id = {other}, job_link = 'source_file'")).await;
    site.run(&format!("DELETE FROM bulk_upload_jobs WHERE id IN ({job}, {other})")).await;
    assert_eq!(
        site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NULL AND job_link IS NOT NULL").await,
        8
    );
    assert_eq!(
        site.count("SELECT count(*) FROM quarterly_predictions WHERE job_id IS NULL AND job_link IS NOT NULL").await,
        4
    );
    let world = World::with(site.engine, Setup { url: Some(site.url.clone()), asleep: true, ..Setup::default() });
    world.await.check_invariants().await;
    // Children first, as the older program's keys want it.
    site.run("UPDATE tenants SET created_by = NULL; UPDATE organizations SET created_by = NULL").await;
    for table in [
        "annual_predictions",
        "quarterly_predictions",
        "bulk_upload_jobs",
        "companies",
        "organization_member_whitelist",
        "users",
        "organizations",
        "tenants",
    ] {
        site.run(&format!("DELETE FROM {table}")).await;
    }
}

/// A cell of the copy of a row: a new id, and new values where an index wants them unique.
fn copied(engine: Engine, column: &str) -> String {
    match (column, engine) {
        ("id", Engine::Sqlite) => "randomblob(16)".to_owned(),
        ("id", Engine::Postgres) => "gen_random_uuid()".to_owned(),
        ("name" | "slug" | "symbol" | "username" | "email" | "join_token", _) => format!("{column} || '2'"),
        _ => column.to_owned(),
    }
}

async fn fresh_refresh_and_reset_work_on_a_database_of_joblinks_own(engine: Engine) {
    let site = Site::empty(engine).await;
    site.migrated(&["up"]).await;
    let schema = site.schema().await;
    for command in ["fresh", "refresh"] {
        fill(&site).await;
        site.migrated(&[command, "--yes"]).await;
        same(&site.schema().await, &schema, command);
        assert_eq!(site.count("SELECT count(*) FROM users").await, 0, "{command}");
        assert_eq!(site.ledger().await.len(), MIGRATIONS);
    }
    fill(&site).await;
    let ended = site.migrated(&["reset", "--yes"]).await;
    assert_eq!(ended.out.matches("pending").count(), MIGRATIONS);
    assert_eq!(site.schema_and_ledger().await, Vec::<String>::new());
    site.migrated(&["up"]).await;
    same(&site.schema().await, &schema, "up after reset");
}

/// A row in some tables, of which each refers to another.
async fn fill(site: &Site) {
    let id = site.id(1);
    site.run(&format!(
        "INSERT INTO tenants (id, name, slug) VALUES ({id}, 'T', 't');
         INSERT INTO users (id, email, username, hashed_password, tenant_id) VALUES ({id}, 'u', 'u', '!', {id});
         UPDATE tenants SET created_by = {id};
         INSERT INTO bulk_upload_jobs (id, user_id, job_type, original_filename) VALUES ({id}, {id}, 'annual', 'f');
         INSERT INTO row_errors (job_id, line, code, message) VALUES ({id}, 2, 'C', 'm')"
    ))
    .await;
}
