//! The real program, as an operator runs it: killed in the middle of a job and started again, and with its sample.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use tests::{Engine, Setup, World, multipart};

use super::{ANNUAL, job_id};

tests::on_both!(a_program_that_is_killed_in_the_middle_of_a_job_finishes_it_when_started_again);

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

async fn a_program_that_is_killed_in_the_middle_of_a_job_finishes_it_when_started_again(engine: Engine) {
    let world = World::with(engine, Setup { asleep: true, ..Setup::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--database-url", &world.url, "--artifacts", world.artifacts.to_str().unwrap()];
    // Companies are met again and again, so that each batch finds some and makes some.
    let rows = 30_000_i64;
    let row = |row: i64| format!("S{},Company,1000000,Tech,{},Q4,10,1,5,10,3\n", row % 1999, 1950 + row / 1999);
    let file = format!("{ANNUAL}\n") + &(0..rows).map(row).collect::<String>();
    let mut program = Program::start(folder.path(), &arguments);
    let post = world.http.post(format!("{}/graphql", program.base));
    let answer: Value = multipart(post, "ANNUAL", "a.csv", file.into()).await.json().await.unwrap();
    let id = job_id(&answer["data"]["createJob"]);
    let processed = "SELECT CAST(processed_rows AS bigint) FROM bulk_upload_jobs";
    for kill in 1.. {
        let before = world.count(processed).await;
        world.until(async || (world.count(processed).await > before).then_some(())).await;
        program.kill();
        let committed = world.count(processed).await;
        assert!(committed < rows, "killed too late");
        assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, committed);
        world.check_invariants().await;
        if std::env::var_os("JOBLINK_TEST_LONG").is_none() {
            // The program would wait for the rest of the lease.
            world.run("UPDATE bulk_upload_jobs SET lease_expires_at = '2000-01-01T00:00:00+00:00'").await;
        }
        program = Program::start(folder.path(), &arguments);
        if kill == 3 {
            break;
        }
    }
    assert_eq!(world.ended(&id).await, "completed");
    let counters = format!(
        "SELECT count(*) FROM bulk_upload_jobs WHERE total_rows = {rows} AND processed_rows = {rows}
            AND successful_rows = {rows} AND failed_rows = 0 AND lease_token IS NULL"
    );
    assert_eq!(world.count(&counters).await, 1);
    let periods =
        "SELECT count(*) FROM (SELECT DISTINCT company_id, reporting_year FROM annual_predictions) AS periods";
    for count in [periods, "SELECT count(*) FROM annual_predictions"] {
        assert_eq!(world.count(count).await, rows);
    }
    assert_eq!(world.count("SELECT count(*) FROM companies").await, 1999);
    world.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_loads_its_sample_once_and_says_where_it_serves() {
    let folder = tempfile::tempdir().unwrap();
    let http = reqwest::Client::new();
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
