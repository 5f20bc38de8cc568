//! The real program, as an operator runs it: killed in the middle of a job and started again, and with its sample.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Dice, Engine, Setup, World, multipart};

use super::{ANNUAL, job_id, predictions};

tests::on_both!(a_program_that_is_killed_at_any_moment_ends_as_an_undisturbed_one_does);

/// `joblink serve`; killed when it is dropped.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    base: String,
}

impl Program {
    /// Starts the program in a folder and waits until it serves.
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        // Cargo puts the binary beside the folder of the test's own.
        let own = std::env::current_exe().unwrap();
        let program = own.parent().unwrap().parent().unwrap().join("joblink");
        assert!(program.exists(), "build the program first: cargo build");
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JOBLINK_") || name == "DATABASE_URL") {
            command.env_remove(name);
        }
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(arguments).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program = Self { child, lines, base: String::new() };
        program.base = program.line("GraphQL ").replace("/graphql", "");
        program
    }

    /// What the next line that begins so says.
    fn line(&mut self, label: &str) -> String {
        let found = self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(label));
        found.unwrap_or_else(|| panic!("the program ended without {label:?}"))[label.len()..].trim().to_owned()
    }

    /// Kills it, as `kill -9` does.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Real uploads, and a program that is killed at random moments, again and again: in the end everything is as if it had not
/// been. With `JOBLINK_TEST_LONG` a hundred times.
async fn a_program_that_is_killed_at_any_moment_ends_as_an_undisturbed_one_does(engine: Engine) {
    let kills = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 100 } else { 10 };
    let seed = std::env::var("JOBLINK_TEST_SEED")
        .map_or_else(|_| Uuid::new_v4().as_u64_pair().0, |seed| seed.parse().unwrap());
    println!("JOBLINK_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let world = World::with(engine, Setup { asleep: true, ..Setup::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--database-url", &world.url, "--artifacts", world.artifacts.to_str().unwrap(), "--workers", "2"];
    let mut jobs: Vec<(String, String)> = Vec::new();
    let mut program = Program::start(folder.path(), &arguments);
    for _ in 0..kills {
        // Two jobs at work, until the last kill.
        let open = "SELECT count(*) FROM bulk_upload_jobs WHERE status IN ('pending', 'processing')";
        while world.count(open).await < 2 {
            let name = format!("{}.csv", jobs.len());
            let post = world.http.post(format!("{}/graphql", program.base));
            let answer: Value =
                multipart(post, "ANNUAL", &name, many_rows(jobs.len()).into()).await.json().await.unwrap();
            jobs.push((job_id(&answer["data"]["createJob"]), name));
        }
        // Any moment at all is wanted, so this is no wait for anything.
        tokio::time::sleep(Duration::from_millis(dice.below(250))).await;
        program.kill();
        world.check_invariants().await;
        // Else the program would wait for the rest of the lease.
        world.run("UPDATE bulk_upload_jobs SET lease_expires_at = '2000-01-01T00:00:00+00:00' WHERE lease_token IS NOT NULL").await;
        program = Program::start(folder.path(), &arguments);
    }
    let calm = World::new(engine).await;
    for (index, (id, name)) in jobs.iter().enumerate() {
        world.ended(id).await;
        let undisturbed = calm.upload("ANNUAL", name, many_rows(index)).await;
        assert_eq!(told(&world, name).await, told(&calm, name).await, "{name}");
        let results = without_ids(&world.file(id, "results").await);
        assert!(results == without_ids(&calm.file(&undisturbed, "results").await), "{name}: {results}");
    }
    program.kill();
    assert_eq!(predictions(&world).await, predictions(&calm).await);
    assert_eq!(world.app.store.keys().await.unwrap().len(), jobs.len() * 3, "input, log and results of each job");
    world.check_invariants().await;
}

/// The file with this number: no other one has its companies, which come again and again, so that each batch finds some and
/// makes some. Some rows are bad, some come twice.
fn many_rows(number: usize) -> String {
    let row = |row: usize| match row % 97 {
        13 => format!("F{number}S{},Company,1000000,Tech,1,Q4,10,1,5,10,3\n", row % 499),
        _ => format!(
            "F{number}S{},Company,1000000,Tech,{},Q4,10,1,5,{},3\n",
            row % 499,
            1950 + row % 8000 / 499,
            row % 50
        ),
    };
    format!("{ANNUAL}\n") + &(0..9_000).map(row).collect::<String>()
}

/// Results without the predictions' ids, which are the job's own.
fn without_ids(results: &str) -> String {
    let mut rows = csv::Reader::from_reader(results.as_bytes());
    rows.records()
        .map(|row| {
            format!(
                "{:?}\n",
                row.unwrap().iter().enumerate().filter(|(at, _)| *at != 8).map(|(_, cell)| cell).collect::<Vec<_>>()
            )
        })
        .collect()
}

/// What the database says of the job of a file, without what differs from run to run.
async fn told(world: &World, name: &str) -> Value {
    let sql = format!(
        "SELECT status, total_rows, processed_rows, successful_rows, failed_rows, error_message,
            (SELECT count(*) FROM row_errors WHERE job_id = j.id) AS errors,
            (SELECT count(*) FROM annual_predictions WHERE job_id = j.id) AS linked,
            (SELECT sha256 FROM artifacts WHERE job_id = j.id AND kind = 'input') AS sha256
         FROM bulk_upload_jobs j WHERE original_filename = '{name}'"
    );
    let mut rows = world.rows(&sql).await;
    assert_eq!(rows.len(), 1, "jobs of {name}");
    rows.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_loads_its_sample_once_and_says_where_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let http = tests::http();
    let mut program = Program::start(folder.path(), &["--demo"]);
    assert!(program.base.starts_with("http://127.0.0.1:"), "{}", program.base);
    assert!(program.line("Health").contains(&format!("{}/healthz", program.base)));
    assert!(program.line("Sample").contains("sample.csv"));
    let page = http.get(format!("{}/graphiql", program.base)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let query = "{ jobs { nodes { fileName status progress { total succeeded failed } predictions { totalCount } } } }";
    let sample = loop {
        let request = http.post(format!("{}/graphql", program.base)).json(&json!({ "query": query }));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let jobs = answer["data"]["jobs"]["nodes"].as_array().unwrap().clone();
        if jobs[0]["status"] != "PENDING" && jobs[0]["status"] != "RUNNING" {
            break jobs;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let job = &sample[0];
    assert_eq!((sample.len(), &job["fileName"], &job["status"]), (1, &json!("sample.csv"), &json!("COMPLETED")));
    assert!(job["predictions"]["totalCount"].as_i64().unwrap() > 20);
    assert_eq!(job["predictions"]["totalCount"], job["progress"]["succeeded"]);
    assert!(folder.path().join("data/joblink.db").exists(), "the database is in the folder where it was started");

    // Told to stop, it ends well.
    let pid = program.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    program.line("stopping");
    assert!(program.child.wait().unwrap().success());

    let mut again = Program::start(folder.path(), &["--demo"]);
    assert_eq!(again.line("Sample"), "not loaded: the database holds jobs already");
}
