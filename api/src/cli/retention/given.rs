//! Which flags stand on the command line itself. What variables and `joblink.toml` say may be meant for another way of working.

use clap::{ArgMatches, Args, Command, FromArgMatches, parser::ValueSource};

use crate::{
    cli::Exit,
    retention::policy::{Changes, Policy, Rule, RuleChanges},
};

/// What only a server is asked with.
const SERVER: [&str; 3] = ["server", "token", "token_file"];
/// What only a database without a server needs.
const DIRECT: [&str; 4] = ["database_url", "artifacts", "smtp_url", "mail_from"];
/// What rules of a policy have, each.
const RULE: [&str; 4] = ["after", "action", "delete_predictions", "keep_logs"];
/// The states that have a rule.
const STATES: [&str; 3] = ["completed", "failed", "cancelled"];

/// The flags of the command line, by the names of their fields.
#[derive(Clone, Debug, Default)]
pub struct Given(Vec<String>);

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        let given = ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
        Ok(Self(given.map(ToOwned::to_owned).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl Given {
    fn has(&self, id: &str) -> bool {
        self.0.iter().any(|given| given == id)
    }

    /// Refuses flags that say nothing to this way of working.
    pub fn check(&self, direct: bool) -> Result<(), Exit> {
        let mut given = self.0.iter();
        let wrong = given.find(|id| if direct { SERVER.contains(&id.as_str()) } else { is_for_direct(id) });
        let Some(wrong) = wrong else { return Ok(()) };
        let flag = format!("--{}", wrong.replace('_', "-"));
        Err(Exit::Usage(if direct {
            format!("{flag} says which server to ask and as whom, and --direct asks none; leave one of them out")
        } else {
            format!("{flag} is for --direct alone, as a server has its own; leave it out, or add --direct")
        }))
    }

    /// What they change in a server's policy. `policy`: with their values.
    pub fn changes(&self, policy: &Policy) -> Changes {
        let rule = |state: &str, rule: Rule| {
            let has = |what: &str| self.has(&format!("retention_{state}_{what}"));
            RuleChanges {
                after: has("after").then_some(rule.after),
                action: has("action").then_some(rule.action),
                delete_predictions: has("delete_predictions").then_some(rule.delete_predictions),
                keep_logs: has("keep_logs").then_some(rule.keep_logs),
            }
        };
        Changes {
            completed: rule("completed", policy.completed),
            failed: rule("failed", policy.failed),
            cancelled: rule("cancelled", policy.cancelled),
            include_adopted: self.has("retention_include_adopted").then_some(policy.include_adopted),
        }
    }
}

fn is_for_direct(id: &str) -> bool {
    let is_policy = |what: &str| {
        let rule = what.split_once('_');
        what == "include_adopted" || rule.is_some_and(|(state, of)| STATES.contains(&state) && RULE.contains(&of))
    };
    DIRECT.contains(&id) || id.strip_prefix("retention_").is_some_and(|what| !is_policy(what))
}
