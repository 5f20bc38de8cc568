//! `joblink jobs list`

use clap::Args;

use super::filter::{Filter, Listed, Order};
use crate::cli::{Exit, output, remote::Remote};

/// What `list` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// How many jobs at most, 0 for all
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    limit: usize,
    /// Print the ids alone, one a line
    #[arg(long, conflicts_with = "json")]
    ids: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Lists them.
pub async fn list(arguments: &Arguments) -> Result<(), Exit> {
    let server = arguments.remote.server()?;
    let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let (mut listed, mut shown) = (0, Vec::new());
    let take = |jobs: Vec<Listed>| {
        for job in jobs {
            listed += 1;
            let goes_on = if arguments.remote.json {
                output::say_line(&job)?
            } else if arguments.ids {
                output::say(output::clean(&job.id))?
            } else {
                shown.push(job);
                true
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    };
    arguments.filter.pages(&server, limit, Order::Newest, take).await?;
    if !shown.is_empty() {
        let mut table = output::table(&["ID", "STATUS", "KIND", "ROWS", "BAD", "CREATED (UTC)", "FILE"]);
        table.add_rows(shown.iter().map(row));
        output::say_table(table)?;
    } else if !arguments.remote.json && !arguments.ids {
        output::tell("no such jobs");
    }
    // Also where a program reads on: what it does next, as a deletion, it does to these alone.
    if listed == limit {
        output::tell(format!("the first {limit}; --limit 0 lists all"));
    }
    Ok(())
}

fn row(job: &Listed) -> [String; 7] {
    let progress = &job.progress;
    [
        output::clean(&job.id),
        word(&job.status),
        word(&job.kind),
        format!("{}/{}", progress.processed, output::or_dash(progress.total)),
        progress.failed.to_string(),
        output::time(job.created_at.as_deref()),
        output::name(&job.file_name),
    ]
}

/// The word of an enumeration, as the schema has it.
pub fn word(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(output::clean));
    text.unwrap_or_default()
}
