//! Runs `joblink jobs`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tests::World;

/// How the program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Each line of its output, as JSON.
    pub fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.out.lines().map(line).collect()
    }

    /// Its output, as JSON.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one sentence that it ended with, after this exit code.
    pub fn sentence(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:?}");
        let sentences: Vec<_> = self.err.lines().filter_map(|line| line.strip_prefix("joblink: ")).collect();
        assert_eq!(sentences.len(), 1, "{self:?}");
        sentences[0]
    }

    /// The same, which must have ended well.
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// The program, with nothing from the environment.
pub fn command(arguments: &[&str]) -> Command {
    let path: PathBuf = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("joblink");
    assert!(path.exists(), "joblink is not built: cargo build --workspace --bins");
    command_of(&path, arguments)
}

/// The program of another version, likewise.
pub fn command_of(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars() {
        if variable.starts_with("JOBLINK_") || variable == "DATABASE_URL" {
            command.env_remove(variable);
        }
    }
    command.args(arguments);
    command
}

/// Runs it with this on its standard input.
pub async fn run_with(mut command: Command, input: &str) -> Ended {
    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may not want it.
        let writer = std::thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    });
    let output = output.await.unwrap();
    let ended = Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!format!("{}{}", ended.out, ended.err).contains('\x1b'), "colours without a terminal: {ended:?}");
    ended
}

/// Runs it to its end.
pub async fn run(arguments: &[&str]) -> Ended {
    run_with(command(arguments), "").await
}

/// `joblink jobs …` of this world's server.
pub async fn jobs(world: &World, arguments: &[&str]) -> Ended {
    jobs_with(world, arguments, "").await
}

/// The same, with this on its standard input.
pub async fn jobs_with(world: &World, arguments: &[&str], input: &str) -> Ended {
    run_with(of(world, arguments), input).await
}

/// The same, not run yet.
pub fn of(world: &World, arguments: &[&str]) -> Command {
    let mut command = command(&["jobs"]);
    command.args(arguments).env("JOBLINK_SERVER", world.base());
    command
}
