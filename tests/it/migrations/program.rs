//! The real programs, as an operator runs them.

use std::{
    io::{BufRead, BufReader, PipeReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use tests::Engine;

use super::site::{Site, until};

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A program that runs.
pub struct Running {
    child: Child,
    err: Arc<Mutex<Said>>,
    out: Arc<Mutex<Said>>,
}

/// What a program said so far.
#[derive(Default)]
struct Said {
    text: String,
    is_all: bool,
}

/// A program with the default settings on a database.
fn command(name: &str, url: &str, arguments: &[&str]) -> Command {
    let path: PathBuf = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join(name);
    assert!(path.exists(), "{name} is not built: cargo build --workspace --bins");
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (variable, _) in std::env::vars() {
        if ["DATABASE_", "JOBLINK_", "OTEL_", "RUST_", "PG"].iter().any(|prefix| variable.starts_with(prefix)) {
            command.env_remove(variable);
        }
    }
    command.env("DATABASE_URL", url);
    command
}

/// Starts a program.
pub fn start(name: &str, url: &str, arguments: &[&str]) -> Running {
    start_with(name, url, arguments, &[])
}

/// Starts a program with these settings in its environment.
pub fn start_with(name: &str, url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Running {
    let mut child = command(name, url, arguments).envs(settings.iter().copied()).spawn().unwrap();
    let (err, out) = (Arc::<Mutex<Said>>::default(), Arc::<Mutex<Said>>::default());
    collect(child.stderr.take().unwrap(), err.clone());
    collect(child.stdout.take().unwrap(), out.clone());
    Running { child, err, out }
}

/// Runs a program to its end.
pub async fn run(name: &str, url: &str, arguments: &[&str]) -> Ended {
    run_with(name, url, arguments, &[]).await
}

/// Runs a program with these settings in its environment.
pub async fn run_with(name: &str, url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let mut command = command(name, url, arguments);
    command.envs(settings.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let ended = Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!format!("{}{}", ended.out, ended.err).contains('\x1b'), "colours without a terminal: {ended:?}");
    ended
}

/// How much a pipe takes that nobody reads, and how much of that a choked program has.
const PIPE: usize = 64 * 1024;
const ROOM: usize = 4 * 1024;

/// What holds a program that has said more than it has room for.
pub struct Choke {
    pipe: PipeReader,
    err: Arc<Mutex<Said>>,
}

/// Starts a program that stops where it says something on stderr and some 4 kB are said already, until it is let go on.
pub fn start_choked(name: &str, url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> (Running, Choke) {
    let (pipe, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'.'; PIPE - ROOM]).unwrap();
    let mut child = command(name, url, arguments).envs(settings.iter().copied()).stderr(writer).spawn().unwrap();
    let (err, out) = (Arc::<Mutex<Said>>::default(), Arc::<Mutex<Said>>::default());
    collect(child.stdout.take().unwrap(), out.clone());
    (Running { child, err: err.clone(), out }, Choke { pipe, err })
}

impl Choke {
    /// Lets the program go on.
    pub fn open(mut self) {
        self.pipe.read_exact(&mut vec![0; PIPE - ROOM]).unwrap();
        collect(self.pipe, self.err);
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<Said>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut said = into.lock().unwrap();
            said.text.push_str(&line);
            said.text.push('\n');
        }
        into.lock().unwrap().is_all = true;
    });
}

impl Running {
    /// What it said on stderr so far.
    pub fn err(&self) -> String {
        self.err.lock().unwrap().text.clone()
    }

    /// What it said on stdout so far.
    pub fn out(&self) -> String {
        self.out.lock().unwrap().text.clone()
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit code, once it has ended and all that it said is here.
    pub fn code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().unwrap()?;
        let is_all = [&self.err, &self.out].iter().all(|said| said.lock().unwrap().is_all);
        is_all.then(|| status.code().unwrap_or(-1))
    }

    /// Waits for its end and gives its exit code.
    pub async fn ended(&mut self) -> i32 {
        until("the program ends", async || self.code()).await
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Site {
    /// Runs `migration` on the database.
    pub async fn migration(&self, arguments: &[&str]) -> Ended {
        run("migration", &self.url, arguments).await
    }

    /// Runs `migration`, which must succeed.
    pub async fn migrated(&self, arguments: &[&str]) -> Ended {
        let ended = self.migration(arguments).await;
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        ended
    }

    /// Runs `migration`, which must refuse with one line and change nothing, and gives the line.
    pub async fn refused(&self, arguments: &[&str]) -> String {
        let before = self.everything().await;
        let ended = self.migration(arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{arguments:?}: {ended:?}");
        assert_eq!(self.everything().await, before, "{arguments:?} changed something");
        let lines: Vec<_> = ended.err.lines().filter(|line| !line.starts_with("taking back ")).collect();
        assert_eq!(lines.len(), 1, "{arguments:?}: {ended:?}");
        lines[0].strip_prefix("migration: ").expect("the program's name").to_owned()
    }
}

/// A URL of a database on the test server that does not exist.
pub async fn missing_database() -> String {
    let site = Site::empty(Engine::Postgres).await;
    format!("{}_missing", site.url)
}
