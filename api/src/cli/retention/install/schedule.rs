//! When, as whoever runs it reads it.

use std::process::Command;

use crate::{
    cli::Exit,
    retention::schedule::{NoSchedule, Schedule},
};

/// Checks a line for cron. Servers read more than cron does, such as `L` for the last day of a month.
pub fn cron(text: &str) -> Result<String, Exit> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let line = fields.join(" ");
    let is_known = fields.len() == 5 && fields.iter().all(|field| field.split(',').all(is_part));
    match line.parse::<Schedule>() {
        Ok(_) if is_known => return Ok(line),
        Err(why @ (NoSchedule::Field { .. } | NoSchedule::Never)) => {
            return Err(Exit::Usage(format!("--schedule: {why}")));
        }
        _ => {}
    }
    Err(Exit::Usage(
        "--schedule wants a line of five fields for cron, such as \"0 2 * * *\" for 2:00 each night; another one is not known to \
         every cron"
            .to_owned(),
    ))
}

/// `*`, a number, a name or a range; steps go with all and ranges.
fn is_part(part: &str) -> bool {
    let is_end = |end: &str| {
        let is_name = end.len() == 3 && end.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_name || (!end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (times, step) = part.split_once('/').map_or((part, None), |(times, step)| (times, Some(step)));
    let is_range = times == "*" || times.split_once('-').is_some_and(|(from, to)| is_end(from) && is_end(to));
    let has_step = step.is_none_or(|step| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()));
    has_step && (is_range || (step.is_none() && is_end(times)))
}

/// Checks what `OnCalendar=` of systemd takes, by systemd itself where it is there.
pub fn calendar(text: &str) -> Result<String, Exit> {
    let text = text.trim();
    let wrong = || {
        Exit::Usage(
            "--schedule wants for systemd what OnCalendar= takes, such as \"Mon..Fri 03:30 UTC\"; man systemd.time says more"
                .to_owned(),
        )
    };
    let is_seemly = |char: char| char.is_ascii_alphanumeric() || " *,./:~+_-".contains(char);
    if text.is_empty() || !text.chars().all(is_seemly) || text.starts_with('-') {
        return Err(wrong());
    }
    match Command::new("systemd-analyze").args(["calendar", text]).output() {
        Ok(output) if !output.status.success() => Err(wrong()),
        // Where it is missing, the timer's own reader will say.
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_cron_are_those_that_every_cron_knows() {
        for text in ["0 2 * * *", "*/15 * * * *", "0 2 * * MON-FRI", "0,30 1-5 * jan *", "1-59/2 2 1,15 * 0"] {
            assert_eq!(cron(text).ok().as_deref(), Some(text));
        }
        assert_eq!(cron(" 0  2 * *\t* ").ok().as_deref(), Some("0 2 * * *"));
        // `crontab -n` of Debian 12 refuses most of those with five fields, and reads another day into `5#2`.
        for text in [
            "",
            "@daily",
            "0 2 * *",
            "0 0 2 * * *",
            "61 2 * * *",
            "5/15 * * * *",
            "0 2 L * *",
            "0 2 ? * *",
            "0 2 1W * *",
            "0 2 * * +1",
            "0 2 * * *\nroot",
            "0 2 * * * root",
            "0 2 * * 5#2",
            "0 2 0 * *",
            "*/ * * * *",
            "% 2 * * *",
        ] {
            assert!(matches!(cron(text), Err(Exit::Usage(_))), "{text:?}");
        }
    }

    #[test]
    fn a_calendar_is_one_line_without_specifiers() {
        for text in ["daily", "Mon..Fri 03:30 UTC", "*-*-* 02:00:00 Europe/Berlin", "*-*~1 04:00"] {
            assert_eq!(calendar(text).ok().as_deref(), Some(text));
        }
        for text in ["", " ", "daily\nUnit=x", "%n", "--help", "0 2 * * *;"] {
            assert!(matches!(calendar(text), Err(Exit::Usage(_))), "{text:?}");
        }
    }
}
