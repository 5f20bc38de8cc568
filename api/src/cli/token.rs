//! `joblink token`

use std::time::Duration;

use clap::Args;
use sea_orm::prelude::Uuid;

use super::Exit;
use crate::auth::{Role, token};

/// What `token` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The user's id, as in the table `users`; the server accepts the token of an active user alone, nothing is looked
    /// up here
    #[arg(value_parser = uuid)]
    user: Uuid,
    /// The organization for which the user acts: their own, or any for an operator; without it the personal space
    #[arg(long, value_parser = uuid)]
    org: Option<Uuid>,
    /// What the user may do: `member`, `org_admin` or `operator`
    #[arg(long, default_value = "member", value_parser = role)]
    role: Role,
    /// How long the token is valid, in hours
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// The secret that signs it, as for `serve`
    #[arg(long, env = "JOBLINK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: String,
}

fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::parse_str(text).map_err(|_| "an id is a UUID, such as 6fd5ca04-0b5b-4b5e-9a52-0d9d4c0f2a11".to_owned())
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "roles are member, org_admin and operator".to_owned())
}

/// Prints a token.
pub fn mint(arguments: &Arguments) -> Result<(), Exit> {
    let secret = token::Secret::new(&arguments.jwt_secret).map_err(|error| Exit::Refused(error.to_string()))?;
    let valid_for = Duration::from_secs(u64::from(arguments.hours) * 3600);
    let token = token::mint(&secret, arguments.user, arguments.org, arguments.role, valid_for)
        .map_err(|error| Exit::failed("cannot sign the token", error))?;
    println!("{token}");
    Ok(())
}
