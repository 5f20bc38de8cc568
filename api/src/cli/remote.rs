//! Which server is asked, and as whom.

use std::{fmt, path::PathBuf};

use clap::{
    Args,
    builder::{ArgPredicate, Resettable, Str},
};
use client::{Error, Server};

use super::{Exit, output};

/// The largest file of a token, in bytes.
const LONGEST: usize = 64 * 1024;

/// What every command takes that asks a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct Remote {
    /// The server
    #[arg(long, env = "JOBLINK_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: String,
    /// A token that says who asks. Other users of this machine may see it in the list of processes: `JOBLINK_TOKEN` or
    /// --token-file is better
    #[arg(long, env = "JOBLINK_TOKEN", hide_env_values = true, hide_default_value = true, value_name = "TOKEN")]
    token: Option<Secret>,
    /// A file that holds the token; goes before --token
    #[arg(long, value_name = "FILE", default_value_if("token", ArgPredicate::IsPresent, None))]
    token_file: Option<PathBuf>,
    /// Print JSON: a document, or a line for each item of a list
    #[arg(long, help_heading = Resettable::<Str>::Reset)]
    pub json: bool,
}

/// What is not to be seen.
#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Remote {
    /// The server, not asked anything yet.
    pub fn server(&self) -> Result<Server, Exit> {
        let token = match &self.token_file {
            Some(path) => Some(read(path)?),
            None => self.token.as_ref().map(|Secret(token)| token.clone()),
        };
        // An empty variable is one that is not set.
        let token = token.filter(|token| !token.trim().is_empty());
        Ok(Server::new(&self.server, token.as_deref())?)
    }
}

fn read(path: &PathBuf) -> Result<String, Exit> {
    let unusable = |why: &dyn fmt::Display| {
        Exit::Failed(format!(
            "cannot use the token file {} ({why}); name one that holds a token and no more",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
    if text.len() > LONGEST { Err(unusable(&"it is too long")) } else { Ok(text) }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        let text = output::clean(&error.to_string());
        match error {
            Error::Address(_) => Self::Usage(text),
            _ => Self::Failed(text),
        }
    }
}
