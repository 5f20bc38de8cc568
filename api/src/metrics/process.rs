//! What the system says of the process. Nothing on systems without `/proc`.

use std::fs;

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ`, 100 on every system that Rust has a compiler for (proc(5), time(7)).
const TICKS: f64 = 100.0;

/// The process as of now.
pub struct Process {
    /// Bytes of memory in use.
    pub resident: i64,
    /// Open files and sockets.
    pub files: i64,
    /// Seconds of processor time used so far.
    pub processor: f64,
}

impl Process {
    /// Looks; `None` where the system does not say.
    pub fn now() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident: i64 =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
        let files = fs::read_dir("/proc/self/fd").ok()?.count();
        // The name before, in parentheses, may hold anything; the times are the 14th and 15th field of all.
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let ticks: f64 =
            stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
        Some(Self { resident: resident * 1024, files: i64::try_from(files).ok()?, processor: ticks / TICKS })
    }
}
