//! `joblink token`

use std::time::Duration;

use clap::Args;
use sea_orm::prelude::Uuid;

use super::{Exit, sign_in::Aim};
use crate::auth::{Role, token};

/// The longest that a token is valid, in hours: a year.
const LONGEST: u32 = 8760;

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
    /// How long the token is valid, in hours: 1 to 8760, which is a year. Before that, only
    /// deactivating the user or changing the secret ends it
    #[arg(long, default_value = "24", value_parser = hours)]
    hours: u32,
    /// The secret that signs it, as for `serve`
    #[arg(long, env = "JOBLINK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: String,
    #[command(flatten)]
    aim: Aim,
}

fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::parse_str(text).map_err(|_| "an id is a UUID, such as 6fd5ca04-0b5b-4b5e-9a52-0d9d4c0f2a11".to_owned())
}

fn hours(text: &str) -> Result<u32, String> {
    let hours = text.parse().ok().filter(|hours| (1..=LONGEST).contains(hours));
    hours.ok_or_else(|| format!("a token is valid for 1 to {LONGEST} hours; the server refuses it after that"))
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "roles are member, org_admin and operator".to_owned())
}

/// Prints a token.
pub fn mint(arguments: &Arguments) -> Result<(), Exit> {
    let secret = token::Secret::new(&arguments.jwt_secret).map_err(|error| Exit::Refused(error.to_string()))?;
    let valid_for = Duration::from_secs(u64::from(arguments.hours) * 3600);
    let token = token::mint(&secret, &arguments.aim.rules(), arguments.user, arguments.org, arguments.role, valid_for)
        .map_err(|error| Exit::failed("cannot sign the token", error))?;
    println!("{token}");
    Ok(())
}
