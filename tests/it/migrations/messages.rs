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
);

/// Fails unless the program failed with one sentence, and gives it.
#[track_caller]
fn sentence(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
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
        (
            "sqlite:///no/such/folder/joblink.db",
            "cannot open the SQLite file /no/such/folder/joblink.db: unable to open database file",
        ),
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
    let ended = site.migrated(&["down", "--num", "13", "--yes"]).await;
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
            sentence(&site.migration(arguments).await),
            "the database is newer than this program, which does not know m9999_from_the_future; use the newer program"
        );
    }
    assert_eq!(site.everything().await, before);
}
