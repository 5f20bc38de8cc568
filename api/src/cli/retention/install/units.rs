//! The units of systemd.

use super::{
    Scope,
    named::{ENV_FILE, Named, PROGRAM},
};

const SERVICE: &str = include_str!("../../../../../deploy/systemd/joblink-retention.service");
const TIMER: &str = include_str!("../../../../../deploy/systemd/joblink-retention.timer");
/// What follows is for units of the whole machine.
const SYSTEM_ALONE: &str = "# Of the whole machine's units alone; a user's unit ends here.\n";
/// When, in the timer.
const TIMES: &str = "*-*-* 02:00:00 UTC";

/// The service.
pub fn service(scope: Scope, program: &Named, settings: &Named) -> String {
    let (shared, system_alone) = SERVICE.split_once(SYSTEM_ALONE).unwrap_or((SERVICE, ""));
    let shared = shared.replace(ENV_FILE, &settings.in_unit()).replace(PROGRAM, &program.as_word_in_unit());
    match scope {
        Scope::System => format!("{shared}{SYSTEM_ALONE}{system_alone}"),
        Scope::User => format!("{}\n", shared.trim_end()),
    }
}

/// The timer; `None` = at its usual time.
pub fn timer(times: Option<&str>) -> String {
    TIMER.replace(TIMES, times.unwrap_or(TIMES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(path: &str) -> Named {
        Named::new(path.as_ref()).expect("a path that can be named")
    }

    #[test]
    fn what_is_replaced_stands_in_the_files_once() {
        for (text, part) in [
            (SERVICE, SYSTEM_ALONE),
            (SERVICE, "\nExecStart=/usr/local/bin/joblink retention run "),
            (SERVICE, PROGRAM),
            (SERVICE, "\nEnvironmentFile=/etc/joblink/joblink.env\n"),
            (SERVICE, ENV_FILE),
            (TIMER, "\nOnCalendar=*-*-* 02:00:00 UTC\n"),
            (TIMER, TIMES),
        ] {
            assert_eq!(text.matches(part).count(), 1, "{part:?}");
        }
        let (shared, _) = SERVICE.split_once(SYSTEM_ALONE).expect("a part for users");
        assert!(shared.contains(PROGRAM) && shared.contains(ENV_FILE) && !shared.contains("User="), "{shared}");
    }

    #[test]
    fn at_its_usual_place_it_is_the_file() {
        assert_eq!(service(Scope::System, &named(PROGRAM), &named(ENV_FILE)), SERVICE);
        assert_eq!(timer(None), TIMER);
    }

    #[test]
    fn a_users_unit_has_no_more_than_it_may_say() {
        let text = service(Scope::User, &named("/home/a b/100%/joblink"), &named("/home/a b/50%.env"));
        assert!(
            text.contains("\nExecStart=\"/home/a b/100%%/joblink\" retention run --direct --yes --json\n"),
            "{text}"
        );
        assert!(text.ends_with("\nEnvironmentFile=/home/a b/50%%.env\n"), "{text}");
        assert!(timer(Some("daily")).contains("\nOnCalendar=daily\n"));
    }
}
