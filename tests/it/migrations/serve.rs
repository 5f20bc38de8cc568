//! `joblink serve` migrates what is its own to migrate, and else says what to run.

use std::path::Path;

use migration::lock::WAIT;
use tests::Engine;

use super::{
    catalogue::same,
    program::{Running, run, start},
    site::{MIGRATIONS, Site, until},
};

tests::on_both!(serve_migrates_an_empty_database_by_itself);

/// Serves until the URLs are printed, then stops.
async fn served(url: &str, artifacts: &Path, arguments: &[&str]) -> Running {
    let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--artifacts", artifacts.to_str().unwrap()];
    all.extend(arguments);
    let mut server = start("joblink", url, &all);
    until("it serves or ends", async || (server.out().contains("/readyz") || server.code().is_some()).then_some(()))
        .await;
    assert_eq!(server.code(), None, "{}", server.err());
    server.terminate();
    assert_eq!(server.ended().await, 0, "{}", server.err());
    server
}

async fn serve_migrates_an_empty_database_by_itself(engine: Engine) {
    let (site, files) = (Site::empty(engine).await, tempfile::tempdir().unwrap());
    served(&site.url, files.path(), &[]).await;
    same(&site.schema().await, &Site::made(engine).await.schema().await, "served");
    // And once more, with nothing to do.
    served(&site.url, files.path(), &[]).await;
}

#[tokio::test]
async fn serve_refuses_a_postgres_database_with_pending_migrations_and_names_the_command() {
    for (site, pending) in [(Site::adopted(Engine::Postgres).await, MIGRATIONS), (one_pending().await, 1)] {
        let before = site.everything().await;
        let ended = run("joblink", &site.url, &["serve", "--listen", "127.0.0.1:0"]).await;
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{ended:?}");
        let plural = if pending == 1 { "" } else { "s" };
        assert_eq!(
            ended.err,
            format!(
                "joblink: the database lacks {pending} migration{plural}; run `migration up` first, or start with --migrate\n"
            )
        );
        assert_eq!(site.everything().await, before);
        served(&site.url, tempfile::tempdir().unwrap().path(), &["--migrate"]).await;
        same(&site.schema().await, &Site::made(Engine::Postgres).await.schema().await, "migrated");
    }
}

async fn one_pending() -> Site {
    let site = Site::made(Engine::Postgres).await;
    migration::down(&site.db, Some(1), WAIT).await.unwrap();
    site
}

#[tokio::test]
async fn serve_migrates_a_sqlite_file_by_itself() {
    let site = Site::empty(Engine::Sqlite).await;
    migration::up(&site.db, Some(5), WAIT).await.unwrap();
    served(&site.url, tempfile::tempdir().unwrap().path(), &[]).await;
    same(&site.schema().await, &Site::made(Engine::Sqlite).await.schema().await, "served");
}

#[tokio::test]
async fn serve_says_in_one_line_why_it_cannot_use_a_database() {
    let url = super::program::missing_database().await;
    let ended = run("joblink", &url, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    assert!(ended.err.starts_with("joblink: cannot use the database: the database server "), "{ended:?}");
    assert!(ended.err.ends_with(" does not exist\n"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_sqlite_file_can_be_opened_by_many_at_once() {
    for _ in 0..10 {
        let site = Site::made(Engine::Sqlite).await;
        let mut openers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let url = site.url.clone();
            openers.spawn(async move { api::database::Database::connect(&url, 4).await });
        }
        while let Some(opened) = openers.join_next().await {
            opened.unwrap().expect("it opens").close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn serve_warns_of_a_user_who_may_change_the_audit_log() {
    let (site, files) = (Site::made(Engine::Postgres).await, tempfile::tempdir().unwrap());
    let id = sea_orm::prelude::Uuid::now_v7().simple();
    let (server, group) = (format!("\"Server {id}\""), format!("group_{id}"));
    site.run(&format!(
        "CREATE ROLE {group}; CREATE ROLE {server} LOGIN IN ROLE {group};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {server}"
    ))
    .await;
    let (_, place) = site.url.split_once('@').unwrap();
    let url = format!("postgres://Server%20{id}@{place}");
    let warning = async |url: &str, files: &tempfile::TempDir| {
        let said = served(url, files.path(), &[]).await.err();
        let mut lines =
            said.lines().filter_map(|line| line.split_once("the audit log is not append-only for this server, "));
        let found = lines.next().map(|(_, rest)| rest.to_owned());
        assert_eq!(lines.next(), None, "{said}");
        found
    };
    let by_grant = warning(&url, &files).await.expect("a warning");
    let command = format!("REVOKE UPDATE, DELETE ON audit_log FROM {server}");
    let whose = format!("whose database user {server} may change its entries (UPDATE, DELETE): ");
    assert_eq!(by_grant, format!("{whose}run `{command}`, and from roles that it has them by"));
    // What it says helps.
    site.run(&command).await;
    assert_eq!(warning(&url, &files).await, None);
    for (right, named) in [("TRUNCATE", "TRUNCATE"), ("UPDATE (detail)", "UPDATE")] {
        site.run(&format!("GRANT {right} ON audit_log TO {group}")).await;
        assert!(warning(&url, &files).await.expect(right).contains(&format!("its entries ({named})")));
        site.run(&format!("REVOKE {right} ON audit_log FROM {group}")).await;
    }
    assert_eq!(warning(&url, &files).await, None);
    let by_nature = warning(&site.url, &files).await.expect("a warning");
    assert!(by_nature.ends_with("it is a superuser, so let the server connect as a user that is none"), "{by_nature}");
    // Who migrates by itself has taken its own rights.
    site.run(&format!("DROP OWNED BY {server}, {group}; DROP ROLE {group}")).await;
    let (own, others) = (Site::empty(Engine::Postgres).await, tempfile::tempdir().unwrap());
    own.run(&format!("GRANT ALL ON SCHEMA public TO {server}")).await;
    let (_, place) = own.url.split_once('@').unwrap();
    assert_eq!(warning(&format!("postgres://Server%20{id}@{place}"), &others).await, None);
    own.run(&format!("DROP OWNED BY {server}; DROP ROLE {server}")).await;
}

#[tokio::test]
async fn serve_refuses_a_user_who_may_only_read() {
    let (site, files) = (Site::made(Engine::Postgres).await, tempfile::tempdir().unwrap());
    let reader = format!("reader_{}", sea_orm::prelude::Uuid::now_v7().simple());
    site.run(&format!("CREATE ROLE {reader} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}")).await;
    let (_, place) = site.url.split_once('@').unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--artifacts", files.path().to_str().unwrap()];
    let ended = run("joblink", &format!("postgres://{reader}@{place}"), &arguments).await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.err.contains("joblink: this database user may not read and write annual_predictions, artifact"),
        "{ended:?}"
    );
    site.run(&format!("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {reader}")).await;
    served(&format!("postgres://{reader}@{place}"), files.path(), &[]).await;
}
