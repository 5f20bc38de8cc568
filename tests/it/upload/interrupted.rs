//! A client that goes away in the middle of an upload leaves no job and no file, not even a temporary one.

use std::sync::Arc;

use api::checkpoint::{Checkpoint, Checkpoints};
use serde_json::json;
use tests::{Engine, Setup, World, people};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use super::{annual, files_on_disk, nothing_left};

tests::on_both!(
    a_client_that_disconnects_mid_upload_leaves_nothing,
    a_client_that_disconnects_before_its_answer_leaves_a_whole_job_or_nothing,
    a_stranger_cannot_send_a_file,
);

/// The request up to somewhere in its file, which is announced longer than it is.
fn beginning(host: &str, framing: &str, file: &str) -> String {
    let operations = json!({
        "query": "mutation($file: Upload!) { createJob(input: {kind: ANNUAL, source: {file: $file}}) { job { id } } }",
        "variables": { "file": null },
    });
    let parts = format!(
        "--b\r\ncontent-disposition: form-data; name=operations\r\n\r\n{operations}\r\n\
         --b\r\ncontent-disposition: form-data; name=map\r\n\r\n{{\"0\":[\"variables.file\"]}}\r\n\
         --b\r\ncontent-disposition: form-data; name=0; filename=a.csv\r\n\r\n{file}"
    );
    let body = if framing.starts_with("transfer") { format!("{:x}\r\n{parts}\r\n", parts.len()) } else { parts };
    format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         apollo-require-preflight: 1\r\n{framing}\r\n\r\n{body}"
    )
}

async fn a_client_that_disconnects_mid_upload_leaves_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let host = world.base().replace("http://", "");
    // Small enough for the store's memory, and more than that.
    for rows in [10, 200_000] {
        for framing in ["content-length: 50000000", "transfer-encoding: chunked"] {
            for reset in [false, true] {
                let mut client = TcpStream::connect(&host).await.unwrap();
                client.write_all(beginning(&host, framing, &annual(rows)).as_bytes()).await.unwrap();
                world.until(async || (!files_on_disk(&world).is_empty()).then_some(())).await;
                if reset {
                    client.set_zero_linger().unwrap();
                }
                drop(client);
                world.until(async || files_on_disk(&world).is_empty().then_some(())).await;
                nothing_left(&world, framing).await;
            }
        }
    }
    world.check_invariants().await;
}

async fn a_client_that_disconnects_before_its_answer_leaves_a_whole_job_or_nothing(engine: Engine) {
    for (file, jobs) in [(annual(5), 1_usize), ("no table".to_owned(), 0)] {
        // The request stands still where its job is about to be written, until its client is gone.
        let (arrived, gone) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let seen = (arrived.clone(), gone.clone());
        let checkpoints = Checkpoints::hooked(move |at| {
            let (arrived, gone) = seen.clone();
            Box::pin(async move {
                if at == Checkpoint::JobBeforeInsert {
                    arrived.add_permits(1);
                    gone.acquire().await.unwrap().forget();
                }
                Ok(())
            })
        });
        let mut world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
        let host = world.base().replace("http://", "");
        let body = beginning(&host, "connection: close", &file) + "\r\n--b--\r\n";
        let length = body.split_once("\r\n\r\n").unwrap().1.len();
        let request = body.replacen("connection: close", &format!("content-length: {length}"), 1);
        let mut client = TcpStream::connect(&host).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        if jobs > 0 {
            arrived.acquire().await.unwrap().forget();
        }
        client.set_zero_linger().unwrap();
        drop(client);
        gone.add_permits(1);
        // A server that stops finishes first what it began.
        world.stop().await;
        assert_eq!(usize::try_from(world.count("SELECT count(*) FROM bulk_upload_jobs").await), Ok(jobs));
        assert_eq!(files_on_disk(&world).len(), jobs);
        world.check_invariants().await;
    }
}

async fn a_stranger_cannot_send_a_file(engine: Engine) {
    let setup = Setup { tokens: true, ..Default::default() };
    let world = World::with(engine, setup).await;
    let anna = people(&world).await.anna;
    let host = world.base().replace("http://", "");
    let mut client = TcpStream::connect(&host).await.unwrap();
    client.write_all(beginning(&host, "content-length: 50000000", &annual(10)).as_bytes()).await.unwrap();
    let mut answer = vec![0; 2000];
    let length = client.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("UNAUTHENTICATED"), "{answer}");
    nothing_left(&world, "a stranger").await;
    let created = world.create_as(&anna.token, "ANNUAL", "a.csv", annual(10)).await;
    assert!(created["job"]["id"].is_string());
}
