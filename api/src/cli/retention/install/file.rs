//! A file that is to be there, whole.

use std::{
    fmt, fs,
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use crate::cli::{Exit, output};

/// What all may read and its owner change.
const MODE: u32 = 0o644;

/// What it is and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// What is in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Missing,
    /// This very file.
    Same,
    /// Another one; the first difference in words.
    Differs(String),
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&output::clean(&self.path.display().to_string()))
    }
}

impl File {
    /// What is in its place.
    pub fn standing(&self) -> Result<Standing, Exit> {
        match fs::read(&self.path) {
            Ok(bytes) if bytes == self.text.as_bytes() => Ok(Standing::Same),
            Ok(bytes) => Ok(Standing::Differs(first_difference(&String::from_utf8_lossy(&bytes), &self.text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Standing::Missing),
            Err(error) => Err(Exit::failed(&format!("cannot read {self}, and nothing was written"), error)),
        }
    }

    /// Writes it beside its place and puts it there, so that nobody sees half of it.
    pub fn write(&self) -> Result<(), Exit> {
        let attempt = || {
            let folder = self.path.parent().ok_or(ErrorKind::NotADirectory)?;
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(self.text.as_bytes())?;
            file.as_file().set_permissions(fs::Permissions::from_mode(MODE))?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        attempt().map_err(|error: std::io::Error| {
            let next =
                if error.kind() == ErrorKind::PermissionDenied { "; run it as root, or with --user" } else { "" };
            Exit::Failed(format!("cannot write {self}: {error}{next}"))
        })
    }
}

fn first_difference(there: &str, wanted: &str) -> String {
    let quoted =
        |line: Option<&str>| line.map_or_else(|| "missing".to_owned(), |line| format!("{:?}", output::name(line)));
    let (mut old, mut new) = (there.lines(), wanted.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old != new => {
                return format!("its line {number} is {} and would be {}", quoted(old), quoted(new));
            }
            _ => {}
        }
    }
    "the ends of its lines".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "its line 2 is \"b\" and would be \"c\"");
        assert_eq!(first_difference("a\n", "a\nc\n"), "its line 2 is missing and would be \"c\"");
        assert_eq!(first_difference("a\nb\n", "a\n"), "its line 2 is \"b\" and would be missing");
        assert_eq!(first_difference("a\r\n", "a\n"), "the ends of its lines");
    }
}
