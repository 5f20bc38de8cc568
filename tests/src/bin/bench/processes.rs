//! What processes have used, by /proc (man page proc(5)).

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use sea_orm::sqlx::{self, Connection, PgConnection};

/// The processes of a PostgreSQL server.
pub struct Postgres(u32);

impl Postgres {
    /// Of the server at this URL, which runs on this machine.
    pub async fn at(url: &str) -> Result<Self> {
        let mut keeper = PgConnection::connect(url).await?;
        let file: String = sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(&mut keeper).await?;
        Ok(Self(file.lines().next().context("no process in postmaster.pid")?.parse()?))
    }

    /// The processor time of all of them so far; what ended in between is lost.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut all = processor_time(self.0)?;
        for entry in fs::read_dir("/proc")? {
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if parent(id) == Some(self.0) {
                all += processor_time(id).unwrap_or_default();
            }
        }
        Ok(all)
    }
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in parentheses, may hold spaces.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The processor time of a process so far, of all its threads.
pub fn processor_time(process: u32) -> Result<Duration> {
    let mut all = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        all += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(all))
}

/// The most memory that a process has held at a time, in bytes: `VmHWM`.
pub fn peak_memory(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
