//! What processes have used, by /proc (man page proc(5)).

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use sea_orm::sqlx::{self, Connection, PgConnection};

/// Fields of `/proc/…/stat`, by their numbers there.
const PARENT: usize = 4;
const CHILDREN_USER: usize = 16;
const CHILDREN_SYSTEM: usize = 17;
/// Its unit of time: `USER_HZ`, which Linux keeps at 100 whatever the kernel's own.
const TICKS_A_SECOND: u64 = 100;

/// The processes of a PostgreSQL server.
pub struct Postgres(u32);

impl Postgres {
    /// Of the server at this URL, which runs on this machine.
    pub async fn at(url: &str) -> Result<Self> {
        let mut keeper = PgConnection::connect(url).await?;
        let file: String = sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(&mut keeper).await?;
        Ok(Self(file.lines().next().context("no process in postmaster.pid")?.parse()?))
    }

    /// The processor time of all of them so far, with that of those that ended.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut all = processor_time(self.0)? + time_of_ended_children(self.0)?;
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
    stat(process, PARENT)?.try_into().ok()
}

/// The processor time of a process's children that ended and were waited for, to a hundredth of a second.
fn time_of_ended_children(process: u32) -> Result<Duration> {
    let ticks = [CHILDREN_USER, CHILDREN_SYSTEM].map(|field| stat(process, field));
    let ticks: u64 = ticks.into_iter().sum::<Option<u64>>().context("a process without times")?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

/// A number of `/proc/…/stat`.
fn stat(process: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, the second field, is in parentheses and may hold spaces.
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
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
