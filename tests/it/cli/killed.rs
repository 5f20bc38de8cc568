//! A server that dies in the middle of a bulk deletion, and the same command once more.

use std::net::TcpListener;

use serde_json::json;
use tests::{Engine, Setup, World};

use super::{
    deleting::left,
    program::{Ended, command, run_with},
};
use crate::migrations::program::{Running, start_with};

tests::on_both!(the_same_command_goes_on_after_a_crash);

fn serve(world: &World, address: &str) -> Running {
    let arguments = ["serve", "--listen", address, "--artifacts", world.artifacts.to_str().unwrap()];
    start_with("joblink", &world.url, &arguments, &[])
}

async fn the_same_command_goes_on_after_a_crash(engine: Engine) {
    const JOBS: i64 = 300;
    let world = World::with(engine, Setup { asleep: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    let mut ids = String::new();
    for _ in 0..JOBS {
        let id = world.adopted_job(user, None, "annual", "completed").await;
        world.linked_predictions(id, "source_file", 50).await;
        ids += &format!("{id}\n");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let base = format!("http://{address}");
    let delete = async || -> Ended {
        let mut command = command(&["jobs", "delete", "-", "--with-predictions", "--yes", "--json"]);
        command.env("JOBLINK_SERVER", &base);
        run_with(command, &ids).await
    };
    let ready = async || {
        let answer = world.http.get(format!("{base}/readyz")).send().await;
        answer.ok().filter(|answer| answer.status().is_success()).map(|_| ())
    };

    let mut server = serve(&world, &address);
    world.until(ready).await;
    let (ended, ()) = tokio::join!(delete(), async {
        world.until(async || (left(&world).await < JOBS - 20).then_some(())).await;
        server.kill();
    });
    let before = left(&world).await;
    assert!(before > 0, "killed too late to tell anything");
    assert!(ended.sentence(1).contains("without an answer"), "{ended:?}");
    let deleted = ended.lines().iter().filter(|line| line["outcome"] == "deleted").count();
    assert!(i64::try_from(deleted).unwrap() <= JOBS - before, "more were said to be gone than are");
    world.check_invariants().await;

    server = serve(&world, &address);
    world.until(ready).await;
    let again = delete().await.well();
    let summary = &again.lines().pop().unwrap()["summary"];
    assert_eq!((&summary["deleted"], &summary["alreadyDeleted"]), (&json!(before), &json!(JOBS - before)));
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (0, 0));
    assert_eq!(world.count("SELECT count(DISTINCT job_id) FROM deletion_receipts").await, JOBS);
    world.check_invariants().await;
    server.terminate();
    server.ended().await;
}
