//! What is no copy is refused, with one sentence that says what to do, and changes nothing.

use tests::Engine;

use super::{copied, copy};
use crate::migrations::site::Site;

/// Fails unless the program ended with this code and this one sentence.
async fn refused(code: i32, from: &str, to: &str, sentence: &str) {
    let ended = copy(from, to, &[]).await;
    assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
    assert_eq!(ended.err, format!("migration: {sentence}\n"));
}

#[tokio::test]
async fn ends_that_are_none_are_refused() {
    let (sqlite, postgres) = (Site::made(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
    let only = "a copy goes to PostgreSQL alone; name it with --to postgres://USER:PASSWORD@HOST/NAME";
    refused(3, &postgres.url, &sqlite.url, only).await;
    refused(3, &sqlite.url, "", only).await;
    refused(3, &sqlite.url, "mysql://host/name", only).await;
    let scheme = "a copy comes from SQLite or PostgreSQL; name it with --from sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME";
    refused(3, "mysql://host/name", &postgres.url, scheme).await;
    let missing = "there is no SQLite file /nowhere/joblink.db; name the one to copy with --from";
    refused(1, "sqlite:///nowhere/joblink.db?mode=rwc", &postgres.url, missing).await;
    let same = "the source and the target are the same database; name another target";
    refused(3, &postgres.url, &postgres.url, same).await;
    let nothing = "the source holds no tables, so there is nothing to copy";
    refused(3, &Site::empty(Engine::Sqlite).await.url, &postgres.url, nothing).await;
    assert_eq!(postgres.count("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn ends_that_lack_migrations_are_refused() {
    let (sqlite, postgres) = (Site::made(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
    sqlite.migrated(&["down", "--yes"]).await;
    let before = postgres.everything().await;
    let behind = "the source is 1 migration behind, from m0024_notifications on; run `migration up` on it first, then this again";
    refused(3, &sqlite.url, &postgres.url, behind).await;
    assert_eq!(postgres.everything().await, before);
    sqlite.migrated(&["up"]).await;
    postgres.migrated(&["down", "--num", "2", "--yes"]).await;
    let before = postgres.everything().await;
    let behind =
        "the target is 2 migrations behind, from m0023_retention on; run `migration up` on it first, then this again";
    refused(3, &sqlite.url, &postgres.url, behind).await;
    assert_eq!(postgres.everything().await, before);
    let adopted = Site::adopted(Engine::Postgres).await;
    let before = adopted.everything().await;
    let behind = "the target is 24 migrations behind, from m0001_adopt_tables on; run `migration up` on it first, then this again";
    refused(3, &sqlite.url, &adopted.url, behind).await;
    assert_eq!(adopted.everything().await, before);
    // A database of a newer program.
    sqlite.run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)").await;
    let newer =
        "the source: the database is newer than this program, which does not know m9999_later; use the newer program";
    refused(3, &sqlite.url, &postgres.url, newer).await;
}

#[tokio::test]
async fn a_target_with_other_rows_is_refused() {
    let (source, target) = (Site::adopted(Engine::Sqlite).await, Site::adopted(Engine::Postgres).await);
    source.migrated(&["up"]).await;
    source.run("INSERT INTO artifact_store (place, id) VALUES (1, randomblob(16))").await;
    target.migrated(&["up"]).await;
    let before = target.everything().await;
    let ended = copy(&source.url, &target.url, &[]).await;
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{ended:?}");
    assert!(ended.err.contains("migration: the target holds rows already ("), "{ended:?}");
    assert!(ended.err.contains("bulk_upload_jobs: 6, "), "{ended:?}");
    let end = "), and no copy into it is unfinished; give an empty database, or empty this one with `migration fresh \
               --database-url TARGET`, then copy again\n";
    assert!(ended.err.ends_with(end), "{ended:?}");
    assert_eq!(target.everything().await, before);
}

/// A part of one copy is no place for another one.
#[tokio::test]
async fn a_part_of_another_copy_is_refused() {
    let (source, other) = (Site::adopted(Engine::Sqlite).await, Site::adopted(Engine::Sqlite).await);
    let target = Site::made(Engine::Postgres).await;
    source.migrated(&["up"]).await;
    other.migrated(&["up"]).await;
    // It stops at a row that PostgreSQL cannot hold.
    source.run("UPDATE companies SET symbol = 'a symbol of more than 20 characters' WHERE name = 'Globex'").await;
    let id = "00000000-0000-4000-8000-000000000054";
    let stopped = copy(&source.url, &target.url, &[]).await;
    let sentence = format!(
        "migration: symbol of companies ({id}) has 35 characters, and 20 is the most; correct it in the source, then run \
         this again\n"
    );
    assert!(stopped.code == 1 && stopped.err.ends_with(&sentence), "{stopped:?}");
    assert!(target.is_unfinished().await);

    let verified = copy(&source.url, &target.url, &["--verify"]).await;
    assert_eq!((verified.code, verified.err), (3, format!("migration: {}\n", migration::copy::UNFINISHED)));
    let elsewhere = copy(&other.url, &target.url, &[]).await;
    assert_eq!(elsewhere.code, 3, "{elsewhere:?}");
    assert!(elsewhere.err.contains("the target holds a part of "), "{elsewhere:?}");
    target.run("INSERT INTO artifact_store VALUES (1, gen_random_uuid())").await;
    let foreign = copy(&source.url, &target.url, &[]).await;
    assert_eq!(foreign.code, 3, "{foreign:?}");
    assert!(foreign.err.contains("artifact_store of the target has 1 row, of which 0 are copied; "), "{foreign:?}");
    target.run("DELETE FROM artifact_store").await;

    source.run("UPDATE companies SET symbol = 'SHORT' WHERE name = 'Globex'").await;
    copied(copy(&source.url, &target.url, &[]).await);
    assert_eq!(target.count("SELECT count(*) FROM companies WHERE symbol = 'SHORT'").await, 1);
}

/// Values that cannot be held exactly are named, not bent.
#[tokio::test]
async fn values_that_do_not_fit_are_named() {
    let id = "00000000-0000-4000-8000-000000000071";
    for (change, wrong) in [
        (
            "confidence = 0.12345",
            "confidence of annual_predictions (ID) is 0.12345, and 4 digits after the point are the most",
        ),
        ("confidence = 12", "confidence of annual_predictions (ID) is 12, which numeric(5,4) cannot hold"),
        ("confidence = 'high'", "confidence of annual_predictions (ID) is no number"),
        ("created_at = 'yesterday'", "created_at of annual_predictions (ID) is no time"),
        (
            "risk_level = 'a' || char(0)",
            "risk_level of annual_predictions (ID) has a character NUL, which PostgreSQL cannot hold",
        ),
        ("risk_level = X'ff'", "risk_level of annual_predictions (ID) is no text in UTF-8"),
        ("backfill_run_id = 'none'", "backfill_run_id of annual_predictions (ID) is no UUID of 16 bytes"),
    ] {
        let (source, target) = (Site::adopted(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
        source.migrated(&["up"]).await;
        source.run(&format!("UPDATE annual_predictions SET {change} WHERE id = X'{}'", id.replace('-', ""))).await;
        let ended = copy(&source.url, &target.url, &[]).await;
        let sentence = format!(
            "migration: {}; correct it in the source, then run this again\n",
            wrong.replace("(ID)", &format!("({id})"))
        );
        assert!(ended.code == 1 && ended.err.ends_with(&sentence), "{ended:?}");
    }
    // So is a row that refers to nothing.
    let (source, target) = (Site::adopted(Engine::Sqlite).await, Site::made(Engine::Postgres).await);
    source.migrated(&["up"]).await;
    source.run("PRAGMA foreign_keys = OFF").await;
    source.run("UPDATE quarterly_predictions SET company_id = X'00000000000040008000000000000099'").await;
    let ended = copy(&source.url, &target.url, &[]).await;
    let sentence = "migration: quarterly_predictions: PostgreSQL does not take a row: Key \
        (company_id)=(00000000-0000-4000-8000-000000000099) is not present in table \"companies\"; correct it in the source, \
        then run this again\n";
    assert!(ended.code == 1 && ended.err.ends_with(sentence), "{ended:?}");
}
