//! `joblink completions` and `joblink man`: what the command line says of itself, for shells and for `man`.

use std::{io::Write, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use super::Exit;

/// What `completions` takes.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// What `man` takes.
#[derive(Debug, Args)]
pub struct Man {
    /// Write the pages of all commands into this folder, which is made where it is missing; without it the main page is
    /// printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the completions of a shell.
pub fn completions(wanted: &Completions, mut command: Command) -> Result<(), Exit> {
    let mut text = Vec::new();
    clap_complete::generate(wanted.shell, &mut command, "joblink", &mut text);
    print(&text)
}

/// Prints the main manual page, or writes all.
pub fn man(wanted: &Man, command: Command) -> Result<(), Exit> {
    let Some(folder) = &wanted.out else {
        let mut text = Vec::new();
        clap_mangen::Man::new(command)
            .render(&mut text)
            .map_err(|error| Exit::failed("cannot write the page", error))?;
        return print(&text);
    };
    let failed = |error| Exit::failed(&format!("cannot write manual pages into {}", folder.display()), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)
}

fn print(text: &[u8]) -> Result<(), Exit> {
    match std::io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Exit::failed("cannot write the output", error))
        }
        _ => Ok(()),
    }
}
