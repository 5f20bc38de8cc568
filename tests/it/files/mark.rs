//! A server does not work with a store that is not its database's own: in it every file would be missing.

use std::path::Path;

use api::files::mark::{self, Found};
use tests::{Engine, Setup, World};

use crate::{
    deletion::file,
    migrations::{
        program::{Ended, run, start},
        site::{Site, until},
    },
};

tests::on_both!(
    a_store_that_is_not_mounted_is_refused,
    a_store_of_another_database_is_refused,
    an_operator_can_accept_a_store,
    a_store_without_a_mark_is_known_by_its_content,
    servers_that_begin_together_mark_one_store_once,
);

/// Starts a server until it has looked at its store, and ends it.
async fn serve(site: &Site, store: &Path, more: &[&str]) -> Result<(), Ended> {
    let store_name = store.to_str().unwrap();
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--artifacts", store_name], more].concat();
    let mut server = start("joblink", &site.url, &arguments);
    let code = until("it serves or has ended", async || {
        if server.out().contains("GraphQL") { Some(None) } else { server.code().map(Some) }
    })
    .await;
    if code.is_some() {
        until("it says why", async || server.err().contains("joblink: ").then_some(())).await;
    }
    let ended = code.map(|code| Ended { code, out: server.out(), err: server.err() });
    server.kill();
    ended.map_or(Ok(()), Err)
}

fn refusal(ended: Result<(), Ended>) -> String {
    let ended = ended.unwrap_err();
    assert_eq!(ended.code, 3, "{ended:?}");
    ended.err.lines().last().unwrap().to_owned()
}

async fn a_store_that_is_not_mounted_is_refused(engine: Engine) {
    let (site, folder) = (Site::made(engine).await, tempfile::tempdir().unwrap());
    let store = folder.path().join("files");
    serve(&site, &store, &[]).await.unwrap();
    serve(&site, &store, &[]).await.unwrap();
    let elsewhere = folder.path().join("elsewhere");
    assert_eq!(
        refusal(serve(&site, &elsewhere, &[]).await),
        format!(
            "joblink: the artifact store {} is not the one that this database used so far: it is empty or not mounted; \
             name the right one with --artifacts, or start `serve` with --accept-artifacts",
            elsewhere.display()
        )
    );
    let sweep = run("joblink", &site.url, &["artifacts", "sweep", "--artifacts", elsewhere.to_str().unwrap()]).await;
    assert_eq!(sweep.code, 3, "{sweep:?}");
}

async fn a_store_of_another_database_is_refused(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let [site, stranger] = [Site::made(engine).await, Site::made(engine).await];
    serve(&site, folder.path(), &[]).await.unwrap();
    let refused = refusal(serve(&stranger, folder.path(), &[]).await);
    assert!(refused.contains(" holds the files of another database; "), "{refused}");
    serve(&site, folder.path(), &[]).await.unwrap();
    std::fs::write(folder.path().join("joblink-store"), "no id").unwrap();
    let ended = serve(&site, folder.path(), &[]).await.unwrap_err();
    assert_eq!(ended.code, 1, "{ended:?}");
}

async fn an_operator_can_accept_a_store(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let [site, stranger] = [Site::made(engine).await, Site::made(engine).await];
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    serve(&site, &first, &[]).await.unwrap();
    serve(&site, &second, &["--accept-artifacts"]).await.unwrap();
    serve(&site, &second, &[]).await.unwrap();
    let refused = refusal(serve(&site, &first, &[]).await);
    assert!(refused.contains(" holds the files of another database; "), "it is not the database's any more: {refused}");
    serve(&stranger, &second, &["--accept-artifacts"]).await.unwrap();
    serve(&stranger, &second, &[]).await.unwrap();
}

/// Since a program without marks: what is in the store tells whose it is.
async fn a_store_without_a_mark_is_known_by_its_content(engine: Engine) {
    let world = World::new(engine).await;
    world.upload("ANNUAL", "a.csv", file(5)).await;
    let empty = tempfile::tempdir().unwrap();
    let with_store = |store: &Path| {
        let setup =
            Setup { asleep: true, url: Some(world.url.clone()), artifacts: Some(store.to_owned()), ..Setup::default() };
        World::with(engine, setup)
    };
    assert_eq!(mark::check(&with_store(empty.path()).await.app).await.unwrap(), Found::Empty);
    let other = World::new(engine).await;
    assert_eq!(mark::check(&with_store(&other.artifacts).await.app).await.unwrap(), Found::Empty);
    other.upload("ANNUAL", "a.csv", file(5)).await;
    assert_eq!(mark::check(&with_store(&other.artifacts).await.app).await.unwrap(), Found::Strange);
    let fresh = World::with(engine, Setup { artifacts: Some(world.artifacts.clone()), ..Setup::default() }).await;
    assert_eq!(mark::check(&fresh.app).await.unwrap(), Found::Strange);
    assert_eq!(mark::look(&world.app).await.unwrap(), Found::Unmarked);
    assert_eq!(mark::check(&world.app).await.unwrap(), Found::Right);
}

async fn servers_that_begin_together_mark_one_store_once(engine: Engine) {
    let world = World::new(engine).await;
    let checks = (0..8).map(|_| mark::check(&world.app));
    for found in futures_util::future::join_all(checks).await {
        assert_eq!(found.unwrap(), Found::Right);
    }
}
