//! Paths as units and crontabs can name them.

use std::{
    fmt,
    path::{Component, Path},
};

use crate::cli::{Exit, output};

/// Where the program is in the files of `deploy/`.
pub const PROGRAM: &str = "/usr/local/bin/joblink";
/// Where its settings are in them.
pub const ENV_FILE: &str = "/etc/joblink/joblink.env";
/// The longest path that fits into a line of a crontab, which has at most 1000 characters, with another one.
const LONGEST: usize = 300;

/// An absolute path of which each character can stand in a unit and in a crontab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named(String);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Named {
    /// Refuses what systemd, cron and the shell would read differently or not at all: quotes, backslashes, patterns, control
    /// characters, a space at the end.
    pub fn new(path: &Path) -> Result<Self, Exit> {
        let refused = |why: &str| {
            let path = output::clean(&path.display().to_string());
            Exit::Usage(format!("{path} cannot be named in units and crontabs, as it {why}; give it another place"))
        };
        let text = path.to_str().ok_or_else(|| refused("is no UTF-8"))?;
        if text.chars().any(|char| char.is_control() || "\"'\\*?[]".contains(char)) {
            return Err(refused("has quotes, backslashes, *, ?, brackets or control characters"));
        }
        if text.ends_with(char::is_whitespace) {
            return Err(refused("ends with a space"));
        }
        if text.chars().count() > LONGEST {
            return Err(refused("is too long"));
        }
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return Err(refused("does not lead straight from the root"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the rest of a line of a unit: `%` begins a specifier there.
    pub fn in_unit(&self) -> String {
        self.0.replace('%', "%%")
    }

    /// As a word of a unit's command line.
    pub fn as_word_in_unit(&self) -> String {
        if self.is_plain() { self.0.clone() } else { format!("\"{}\"", self.in_unit()) }
    }

    /// As a word of a shell's command line.
    pub fn in_shell(&self) -> String {
        if self.is_plain() { self.0.clone() } else { format!("'{}'", self.0) }
    }

    /// As a word of a shell's command line in a crontab, where `%` ends the line.
    pub fn in_crontab(&self) -> String {
        self.in_shell().replace('%', "\\%")
    }

    fn is_plain(&self) -> bool {
        self.0.chars().all(|char| char.is_ascii_alphanumeric() || "/._+@:,-".contains(char))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reader_gets_its_own_spelling() {
        let table = [
            ("/opt/joblink", "/opt/joblink", "/opt/joblink", "/opt/joblink", "/opt/joblink"),
            ("/my programs/j", "/my programs/j", "\"/my programs/j\"", "'/my programs/j'", "'/my programs/j'"),
            ("/100%/j", "/100%%/j", "\"/100%%/j\"", "'/100%/j'", "'/100\\%/j'"),
            ("/a;b&$c/j", "/a;b&$c/j", "\"/a;b&$c/j\"", "'/a;b&$c/j'", "'/a;b&$c/j'"),
            ("/größe/j", "/größe/j", "\"/größe/j\"", "'/größe/j'", "'/größe/j'"),
        ];
        for (path, line, word, shell, crontab) in table {
            let named = Named::new(Path::new(path)).expect("a path that can be named");
            let told = (named.in_unit(), named.as_word_in_unit(), named.in_shell(), named.in_crontab());
            assert_eq!(told, (line.to_owned(), word.to_owned(), shell.to_owned(), crontab.to_owned()));
        }
    }

    #[test]
    fn what_some_reader_would_not_understand_is_refused() {
        let long = format!("/{}", "x".repeat(300));
        for path in ["", "j", "/a'b", "/a\"b", "/a\\b", "/a\nb", "/a\tb", "/*", "/a?", "/[a]", "/a ", "/a/../b", &long]
        {
            assert!(matches!(Named::new(Path::new(path)), Err(Exit::Usage(_))), "{path:?}");
        }
    }
}
