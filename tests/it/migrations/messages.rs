//! What `migration` says: one plain sentence for a failure, a line for each migration, no password.

use tests::Engine;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    program::{Ended, missing_database, run},
    site::{MIGRATIONS, Site},
};

tests::on_both!(
    each_migration_is_one_line,
    status_changes_nothing,
    a_database_of_a_newer_program_is_named,
    nothing_to_do_is_said_by_the_list_alone,
    an_applied_migration_that_differs_is_told_by_status,
);

/// Fails unless the program failed with one sentence, and gives it.
#[track_caller]
fn sentence(ended: &Ended) -> &str {
    sentence_of(1, ended)
}

/// The same of a program that ended with this code.
#[track_caller]
fn sentence_of(code: i32, ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
    let line = ended.err.strip_prefix("migration: ").and_then(|line| line.strip_suffix('\n')).expect(&ended.err);
    for internal in
        ["\n", "DbErr", "sqlx", "Error", "error", "panicked", "::", "os error", "(code", "at line", "secret"]
    {
        assert!(!line.contains(internal), "{internal:?} in {line:?}");
    }
    line
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    // A port that nobody listens on, as it was just given back.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let ended = run("migration", &format!("postgres://joe:secret@{gone}/jobs"), &["up"]).await;
    assert_eq!(
        sentence(&ended),
        format!("no answer from the database server {gone}; is it running, and is the address right?")
    );
    let ended = run("migration", "postgres://joe:secret@nowhere.invalid/jobs", &["status"]).await;
    assert_eq!(
        sentence(&ended),
        "no answer from the database server nowhere.invalid; is it running, and is the address right?"
    );
}

#[tokio::test]
async fn what_the_server_refuses_is_said_in_its_words() {
    let url = missing_database().await;
    let (server, name) = url.split_once('@').unwrap().1.split_once('/').unwrap();
    let ended = run("migration", &url, &["up"]).await;
    assert_eq!(sentence(&ended), format!("the database server {server} refuses: database \"{name}\" does not exist"));

    let server = refusing_server().await;
    let ended = run("migration", &format!("postgres://joe:secret@{server}/jobs"), &["up"]).await;
    assert_eq!(
        sentence(&ended),
        format!("the database server {server} refuses: password authentication failed for user \"joe\"")
    );
}

#[tokio::test]
async fn of_several_hosts_each_is_said_how_it_stands() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = refusing_server().await;
    let ended = run("migration", &format!("postgres://joe:secret@{gone},{server}/jobs"), &["up"]).await;
    assert_eq!(
        sentence(&ended),
        format!(
            "none of the database hosts takes changes: {gone} does not answer, {server} refuses: password authentication \
             failed for user \"joe\""
        )
    );
}

/// A server that knows no password: the one of the tests trusts everybody. Speaks as much of the protocol as it needs.
async fn refusing_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = client.read(&mut request).await.unwrap();
            if length == 8 {
                client.write_all(b"N").await.unwrap();
                _ = client.read(&mut request).await.unwrap();
            }
            client.write_all(b"R\0\0\0\x08\0\0\0\x03").await.unwrap();
            _ = client.read(&mut request).await.unwrap();
            let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"joe\"\0Fauth.c\0L326\0\0";
            client.write_all(b"E").await.unwrap();
            client.write_all(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes()).await.unwrap();
            client.write_all(fields).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_bad_url_is_not_repeated() {
    for (url, wanted) in [
        ("mysql://joe:secret@host/jobs", "the database URL must begin with sqlite: or postgres:"),
        ("secret", "the database URL must begin with sqlite: or postgres:"),
        (
            "postgres://joe:secret@host:port/jobs",
            "the database URL cannot be read; it should look like postgres://USER:PASSWORD@HOST/NAME, \
             with special characters in the password as %XX",
        ),
        ("sqlite:///no/such/folder/joblink.db", "cannot make the folder /no/such/folder: entity not found"),
    ] {
        assert_eq!(sentence(&run("migration", url, &["up"]).await), wanted);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    std::fs::write(&file, "Dear reader, this is not a database. ".repeat(100)).unwrap();
    let ended = run("migration", &format!("sqlite://{}", file.display()), &["up"]).await;
    assert!(sentence(&ended).ends_with("file is not a database"), "{ended:?}");
}

#[tokio::test]
async fn arguments_that_it_does_not_know_are_exit_code_2() {
    let site = Site::empty(Engine::Sqlite).await;
    for arguments in [&["sideways"][..], &["up", "--num", "many"], &["--loud"]] {
        assert_eq!(site.migration(arguments).await.code, 2, "{arguments:?}");
    }
}

async fn each_migration_is_one_line(engine: Engine) {
    let site = Site::empty(engine).await;
    let names = migration::pending(&site.db).await.unwrap();
    let lines = |word: &str, names: Vec<&String>| -> String {
        names.into_iter().map(|name| format!("{word} {name}\n")).collect()
    };
    let ended = site.migrated(&["up"]).await;
    assert_eq!(ended.err, lines("applying", names.iter().collect()));
    assert_eq!(ended.out, lines("applied", names.iter().collect()));
    let ended = site.migrated(&["down", "--num", "99", "--yes"]).await;
    assert_eq!(ended.err, lines("taking back", names.iter().rev().collect()));
    assert_eq!(ended.out, lines("pending", names.iter().collect()));
}

async fn nothing_to_do_is_said_by_the_list_alone(engine: Engine) {
    let site = Site::made(engine).await;
    let before = site.everything().await;
    let ended = site.migrated(&["up"]).await;
    assert_eq!((ended.err.as_str(), ended.out.matches("applied ").count()), ("", MIGRATIONS));
    assert_eq!(site.everything().await, before);
}

async fn status_changes_nothing(engine: Engine) {
    let empty = Site::empty(engine).await;
    let ended = empty.migrated(&["status"]).await;
    assert_eq!((ended.err.as_str(), ended.out.matches("pending ").count()), ("", MIGRATIONS));
    assert_eq!(empty.everything().await, Vec::<String>::new());
    let adopted = Site::adopted(engine).await;
    let before = adopted.everything().await;
    adopted.migrated(&["status"]).await;
    assert_eq!(adopted.everything().await, before);
}

async fn a_database_of_a_newer_program_is_named(engine: Engine) {
    let site = Site::made(engine).await;
    site.run("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 1)").await;
    let before = site.everything().await;
    for arguments in [&["up"][..], &["down", "--yes"], &["status"], &["reset", "--yes"], &["refresh", "--yes"]] {
        assert_eq!(
            sentence_of(3, &site.migration(arguments).await),
            "the database is newer than this program, which does not know m9999_from_the_future; use the newer program"
        );
    }
    assert_eq!(site.everything().await, before);
}

async fn an_applied_migration_that_differs_is_told_by_status(engine: Engine) {
    let site = Site::made(engine).await;
    let names = site.strings("SELECT name FROM joblink_migration_checksums").await;
    assert_eq!(names, site.ledger().await);
    site.run("UPDATE joblink_migration_checksums SET sha256 = 'of other steps' WHERE name = 'm0004_job_link'").await;
    let ended = site.migrated(&["status"]).await;
    assert_eq!(ended.out.matches("applied ").count(), MIGRATIONS);
    assert_eq!(
        ended.err,
        "migration: what was applied as m0004_job_link differs from what this program would apply; compare the \
         database with `migration plan` of the program that applied it\n"
    );
    site.migrated(&["down", "--num", &MIGRATIONS.to_string(), "--yes"]).await;
    assert_eq!(site.count("SELECT count(*) FROM joblink_migration_checksums").await, 0);
}

#[tokio::test]
async fn a_missing_sqlite_file_is_made_by_up_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/joblink.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    for command in ["status", "plan"] {
        let ended = run("migration", &url, &[command]).await;
        assert_eq!(sentence(&ended), format!("there is no SQLite file {}; `migration up` makes it", file.display()));
    }
    assert!(!file.parent().unwrap().exists());
    assert_eq!(run("migration", &url, &["up"]).await.code, 0);
    assert!(file.exists());
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_so() {
    let site = Site::adopted(Engine::Postgres).await;
    let reader = format!("reader_{}", sea_orm::prelude::Uuid::now_v7().simple());
    site.run(&format!(
        "CREATE ROLE {reader} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"
    ))
    .await;
    let (_, place) = site.url.split_once('@').unwrap();
    let url = format!("postgres://{reader}@{place}");
    let before = site.everything().await;
    let refused = run("migration", &url, &["up"]).await;
    assert_eq!((refused.code, refused.out.as_str()), (3, ""), "{refused:?}");
    assert!(
        refused.err.starts_with("migration: this database user may not change annual_predictions, "),
        "{refused:?}"
    );
    assert!(refused.err.ends_with("; connect as their owner (postgres)\n"), "{refused:?}");
    assert_eq!(run("migration", &url, &["status"]).await.code, 0);
    let plan = run("migration", &url, &["plan"]).await;
    assert!(plan.out.contains("CREATE TABLE"), "the plan is shown: {plan:?}");
    assert_eq!((plan.code, &plan.err), (3, &refused.err));
    // With the right to make tables, but not on those that are there.
    site.run(&format!(
        "GRANT CREATE ON SCHEMA public TO {reader}; REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM {reader}"
    ))
    .await;
    assert_eq!(run("migration", &url, &["up"]).await.err, refused.err);
    let name = place.rsplit_once('/').unwrap().1;
    site.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    assert_eq!(
        sentence(&site.migration(&["up"]).await),
        "the database takes no changes (cannot execute CREATE TABLE in a read-only transaction); use the primary, or \
         a user who may write"
    );
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let site = Site::adopted(Engine::Postgres).await;
    let version = site.count("SELECT current_setting('server_version_num')::bigint").await;
    let (user, place) = site.url.rsplit_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let older = server_that_says(server.to_owned(), version, 130_011).await;
    for command in ["up", "status"] {
        let ended = run("migration", &format!("{user}@{older}/{name}"), &[command]).await;
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{ended:?}");
        assert_eq!(ended.err, "migration: PostgreSQL 13 is too old: Joblink needs version 14 or newer\n");
    }
}

/// A server in front of another one that gives another version: an old one cannot be had everywhere.
async fn server_that_says(server: String, version: i64, said: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = tokio::net::TcpStream::connect(&server).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let mut answer = vec![0; 65_536];
                // Ends with the connection.
                while let Ok(length @ 1..) = from_server.read(&mut answer).await {
                    let answer = &mut answer[..length];
                    let place = answer.windows(8).position(|bytes| bytes == version.to_be_bytes());
                    if let Some(place) = place {
                        answer[place..place + 8].copy_from_slice(&said.to_be_bytes());
                    }
                    if to_client.write_all(answer).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}
