//! Which jobs are to go: a list of ids, however it was given.

use std::{collections::HashSet, io::Read};

use client::Server;

use super::Arguments;
use crate::cli::{
    Exit,
    jobs::filter::{Listed, Order},
};

/// The longest list on standard input, in bytes: a million ids and more.
const LONGEST: u64 = 64_000_000;

/// The ids, each once, in the order in which they were given or the jobs ended.
pub async fn ids(server: &Server, arguments: &Arguments) -> Result<Vec<String>, Exit> {
    let given = &arguments.ids;
    match (given.is_empty(), arguments.filter.is_empty()) {
        (true, true) => Err(Exit::Usage(
            "name the jobs by their ids, by `-` for standard input, or by a filter such as --status FAILED".to_owned(),
        )),
        (false, false) => Err(Exit::Usage("name jobs by their ids or by a filter, not by both".to_owned())),
        (false, true) => Ok(distinct(&read(given)?)),
        (true, false) => {
            let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
            let mut ids = Vec::new();
            let take = |jobs: Vec<Listed>| {
                ids.extend(jobs.into_iter().map(|job| job.id));
                Ok(true)
            };
            arguments.filter.pages(server, limit, Order::EndedFirst, take).await?;
            Ok(ids)
        }
    }
}

fn read(given: &[String]) -> Result<String, Exit> {
    if given != ["-"] {
        if given.iter().any(|id| id == "-") {
            return Err(Exit::Usage("`-` stands alone: all ids come from standard input then".to_owned()));
        }
        return Ok(given.join("\n"));
    }
    let mut text = String::new();
    let failed = |error: &dyn std::fmt::Display| Exit::failed("cannot read ids from standard input", error);
    std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 == LONGEST { Err(failed(&"the list is too long; give it in parts")) } else { Ok(text) }
}

fn distinct(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    // An id written in capitals is the same id.
    text.split_whitespace().filter(|id| seen.insert(id.to_lowercase())).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_given_twice_counts_once() {
        assert_eq!(distinct(" a\nb\r\n\nA c\tb\n"), ["a", "b", "c"]);
        assert_eq!(distinct(""), Vec::<String>::new());
    }
}
