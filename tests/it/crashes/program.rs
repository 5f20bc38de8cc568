//! A server, a sweep or a run of the retention policy that kills itself at a checkpoint (`tests/src/bin/crash.rs`).

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How long a program may take to come to the checkpoint at which it dies.
const PATIENCE: Duration = Duration::from_mins(1);
/// The number of SIGKILL.
const KILL: i32 = 9;

/// A program that runs; killed when it is dropped.
pub struct Program {
    child: Child,
    /// Where it answers.
    pub base: String,
}

impl Program {
    /// Starts it, and waits until it serves, if it does.
    pub async fn start(url: &str, store: &str, arguments: &'static [&'static str]) -> Self {
        let own = std::env::current_exe().unwrap();
        let program = own.parent().unwrap().parent().unwrap().join("crash");
        assert!(program.exists(), "crash is not built: cargo build --workspace --bins");
        let mut command = Command::new(program);
        command.args([url, store]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut base = String::new();
            // A sweep or a run says nothing and dies.
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut base).unwrap();
            Self { child, base: base.trim().to_owned() }
        })
        .await
        .unwrap()
    }

    /// Waits for its death at its checkpoint.
    pub async fn died(&mut self, case: &str) {
        let began = std::time::Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "{case}: it never came to its checkpoint");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(status.signal(), Some(KILL), "{case}: {status}");
    }

    /// Kills it from outside, at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
