//! The floor, in a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::data::Data;

/// The running floor. It is stopped when it is dropped.
pub struct Floor {
    process: Child,
    /// Host and port.
    pub address: String,
}

impl Floor {
    /// Starts the program, which was built beside this one.
    pub fn start(data: &Data) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name("bench-floor");
        ensure!(program.exists(), "bench-floor is not built beside this program");
        let mut process =
            Command::new(program).args([&data.url, &data.organization.to_string()]).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut address)?;
        ensure!(!address.is_empty(), "the floor ended before it served");
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
