//! `migration copy`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::{Compared, Sum, Wanted, copy, verify};
use crate::{
    Error,
    counted::{counted, named},
    progress::Watch,
    say,
};

/// Copy everything from an embedded SQLite database to an empty PostgreSQL database, then compare both
///
/// Stop the server that runs on the source before, and start it on the target afterwards, with the same `JOBLINK_ARTIFACTS`:
/// files are not copied. The source is only read. What writes to a SQLite source meanwhile is noticed and makes the copy fail; of a
/// PostgreSQL source make sure yourself that nobody writes. Killed
/// or cut off, the same command goes on where it was. A target without tables gets them; one with other rows is refused.
/// At the end the rows of each table are counted and summed up on both sides; a difference is an error (exit code 1).
#[derive(Args, Clone, Debug)]
pub struct Copy {
    /// What to copy: `sqlite://FILE`, or another PostgreSQL as `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, value_name = "URL")]
    from: String,
    /// Where to: `postgres://USER:PASSWORD@HOST/NAME`, of a cluster `HOST:PORT,HOST:PORT,…`; by default what --database-url names
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Only compare both, and change nothing
    #[arg(long)]
    verify: bool,
    /// The most rows of one transaction
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch_size: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Copy {
    /// Does it; `url` is the target where none is named.
    pub async fn execute(&self, url: &str, schema: Option<&str>, wait: Duration) -> Result<(), Error> {
        let wanted = Wanted {
            from: self.from.clone(),
            to: self.to.clone().unwrap_or_else(|| url.to_owned()),
            schema: schema.map(ToOwned::to_owned),
            batch: self.batch_size.into(),
            wait,
            watch: [Watch::person("row"), Watch::person("row")],
        };
        let (copied, compared) = if self.verify {
            (None, Box::pin(verify(&wanted)).await?)
        } else {
            let outcome = Box::pin(copy(&wanted)).await?;
            (Some(outcome.copied), outcome.compared)
        };
        let different: Vec<_> = compared.iter().filter(|table| !table.is_same()).collect();
        if self.json {
            let told = json!({ "copied": copied, "same": different.is_empty(), "tables": compared });
            say(&format!("{told:#}\n"));
        } else {
            say(&text(&compared));
        }
        if different.is_empty() {
            if !self.json {
                say(&same(copied, &compared));
            }
            return Ok(());
        }
        let names: Vec<_> = different.iter().map(|table| table.table.as_str()).collect();
        let tables = named(names.len(), "table");
        let unless = if self.verify { "unless a server has worked on the target since it was copied, " } else { "" };
        Err(Error::Failed(format!(
            "the source and the target differ in the {tables} {}; {unless}stop whatever writes to either of them, empty the \
             target with `migration fresh --database-url TARGET`, and copy again",
            names.join(", ")
        )))
    }
}

/// What there is to say in the end.
fn same(copied: Option<u64>, compared: &[Compared]) -> String {
    let rows: u64 = compared.iter().map(|table| table.source.rows).sum();
    let same = format!("{} in {} are the same on both sides", counted(rows, "row"), counted(compared.len(), "table"));
    let done = match copied {
        None => return format!("{same}\n"),
        Some(0) => "nothing was left to copy".to_owned(),
        Some(copied) => format!("copied {}", counted(copied, "row")),
    };
    format!(
        "{done}; {same}\nstart the server on the target, with the JOBLINK_ARTIFACTS that it had: files stay where they are\n"
    )
}

/// The comparison as a table.
fn text(compared: &[Compared]) -> String {
    let widest = compared.iter().map(|table| table.table.len()).max().unwrap_or_default();
    let lines = compared.iter().map(|Compared { table, source, target }| {
        let digits = |sum: &Sum| if sum.rows == 0 { "-".to_owned() } else { format!("{:032x}", sum.checksum) };
        let checksum = if source == target {
            digits(source)
        } else {
            format!("{}  {}  DIFFERENT", digits(source), digits(target))
        };
        format!("{table:widest$}  {:>10}  {:>10}  {checksum}\n", source.rows, target.rows)
    });
    let head = format!("{:widest$}  {:>10}  {:>10}  CHECKSUM\n", "TABLE", "SOURCE", "TARGET");
    head + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_both_checksums() {
        let compared = |table: &str, source: (u64, u128), target: (u64, u128)| {
            let sum = |(rows, checksum)| Sum { rows, checksum };
            Compared { table: table.to_owned(), source: sum(source), target: sum(target) }
        };
        let tables = [
            compared("jobs", (2, 0xab), (2, 0xab)),
            compared("users", (1, 0xcd), (0, 0)),
            compared("x", (0, 0), (0, 0)),
        ];
        let zeros = "0".repeat(30);
        assert_eq!(
            text(&tables),
            format!(
                "TABLE      SOURCE      TARGET  CHECKSUM\n\
                 jobs            2           2  {zeros}ab\n\
                 users           1           0  {zeros}cd  -  DIFFERENT\n\
                 x               0           0  -\n"
            )
        );
    }
}
