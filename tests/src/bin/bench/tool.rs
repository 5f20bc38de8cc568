//! The real `migration`, in a process of its own.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// How it ended.
pub struct Ended {
    pub time: Duration,
    /// The most memory that it held at a time, in bytes.
    pub memory: u64,
    pub out: String,
}

/// Runs it on a database; fails where it does.
pub async fn migration(url: &str, arguments: &[&str]) -> Result<Ended> {
    let began = Instant::now();
    let mut child = Command::new(program()?)
        .args(arguments)
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let status_file = format!("/proc/{}/status", child.id().context("it has ended")?);
    let mut memory = 0;
    let waited = async {
        loop {
            // `VmHWM`, man page proc(5): it only grows, so the last look before the end counts.
            if let Ok(status) = std::fs::read_to_string(&status_file)
                && let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))
            {
                memory = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(memory / 1024) * 1024;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut out = child.stdout.take().context("no output")?;
    let mut text = String::new();
    let ended = async {
        tokio::io::AsyncReadExt::read_to_string(&mut out, &mut text).await?;
        child.wait().await
    };
    let status = tokio::select! {
        status = ended => status?,
        () = waited => unreachable!("it looks for ever"),
    };
    ensure!(status.success(), "migration {arguments:?} ended with {status}: {text}");
    Ok(Ended { time: began.elapsed(), memory, out: text })
}

fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("migration");
    ensure!(program.exists(), "migration is not built beside this program");
    Ok(program)
}
