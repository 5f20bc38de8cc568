//! Lines of cron.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::named::{ENV_FILE, Named, PROGRAM};
use crate::cli::{Exit, output};

const CRONTAB: &str = include_str!("../../../../../deploy/cron/joblink-retention");
/// When, in the file.
const TIMES: &str = "0 2 * * *";
/// The user's name, which stands in crontabs of the whole machine alone.
const USER: &str = " joblink set -a;";
/// The folder where the user `joblink` works.
const FOLDER: &str = "cd /var/lib/joblink &&";
/// What tells the line of a user's own table from the others; a comment to the shell.
const MARK: &str = " # by joblink retention install";

/// The crontab of the whole machine.
pub fn system(times: Option<&str>, program: &Named, settings: &Named) -> String {
    let line = |line: &str| {
        if line.starts_with('#') {
            line.replace(ENV_FILE, &settings.in_shell())
        } else {
            filled(line, times, program, settings)
        }
    };
    CRONTAB.lines().map(|text| line(text) + "\n").collect()
}

/// The line of a user's own table.
pub fn line(times: Option<&str>, program: &Named, settings: &Named) -> String {
    let line = CRONTAB.lines().find(|line| line.starts_with(TIMES)).unwrap_or_default();
    filled(&line.replacen(USER, " set -a;", 1).replacen(FOLDER, "cd &&", 1), times, program, settings) + MARK
}

fn filled(line: &str, times: Option<&str>, program: &Named, settings: &Named) -> String {
    let line = line.replace(ENV_FILE, &settings.in_crontab()).replace(PROGRAM, &program.in_crontab());
    match line.strip_prefix(TIMES) {
        Some(rest) => format!("{}{rest}", times.unwrap_or(TIMES)),
        None => line,
    }
}

/// The caller's table; empty where there is none.
pub fn read() -> Result<Vec<u8>, Exit> {
    let failed = |why: &str| Exit::failed("cannot read your crontab, and nothing was changed", output::clean(why));
    let listed = Command::new("crontab").arg("-l").env("LC_ALL", "C").output();
    let listed = listed.map_err(|error| failed(&error.to_string()))?;
    let said = String::from_utf8_lossy(&listed.stderr);
    match listed.status.success() {
        true => Ok(listed.stdout),
        // So say Vixie's cron and cronie, and busybox.
        false if said.contains("no crontab for") || said.contains("No such file") => Ok(Vec::new()),
        false => Err(failed(said.trim())),
    }
}

/// A table with the line in the place of the one that was put there before, or at its end; all else stays as it is.
pub fn with_line(table: &[u8], line: &str) -> Vec<u8> {
    let is_ours =
        |line: &[u8]| line.trim_ascii_end().ends_with(MARK.as_bytes()) && !line.trim_ascii().starts_with(b"#");
    let mut written = false;
    let mut after = Vec::with_capacity(table.len() + line.len() + 2);
    for old in table.split_inclusive(|byte| *byte == b'\n') {
        if !is_ours(old) {
            after.extend_from_slice(old);
        } else if !written {
            after.extend_from_slice(format!("{line}\n").as_bytes());
            written = true;
        }
    }
    if !written {
        if after.last().is_some_and(|byte| *byte != b'\n') {
            after.push(b'\n');
        }
        after.extend_from_slice(format!("{line}\n").as_bytes());
    }
    after
}

/// Makes a table the caller's own.
pub fn write(table: &[u8]) -> Result<(), Exit> {
    let failed = |why: &str| Exit::failed("cannot write your crontab, which stays as it was", output::clean(why));
    let io = |error: std::io::Error| failed(&error.to_string());
    let mut writing = Command::new("crontab");
    writing.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut writing = writing.spawn().map_err(io)?;
    let sent = writing.stdin.take().map(|mut stdin| stdin.write_all(table));
    let ended = writing.wait_with_output().map_err(io)?;
    if !ended.status.success() {
        return Err(failed(String::from_utf8_lossy(&ended.stderr).trim()));
    }
    sent.unwrap_or(Ok(())).map_err(io)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    fn named(path: &Path) -> Named {
        Named::new(path).expect("a path that can be named")
    }

    #[test]
    fn what_is_replaced_stands_in_the_file_once() {
        let lines: Vec<_> = CRONTAB.lines().filter(|line| line.starts_with(TIMES)).collect();
        let [line] = lines[..] else { panic!("{lines:?}") };
        for part in [TIMES, USER, FOLDER, PROGRAM, ENV_FILE] {
            assert_eq!(line.matches(part).count(), 1, "{part:?}");
        }
        assert!(!line.contains('%') && CRONTAB.ends_with('\n'));
    }

    #[test]
    fn at_its_usual_place_it_is_the_file() {
        let usual = |path: &str| named(Path::new(path));
        assert_eq!(system(None, &usual(PROGRAM), &usual(ENV_FILE)), CRONTAB);
        let line = line(Some("5 4 * * 0"), &usual(PROGRAM), &usual(ENV_FILE));
        assert_eq!(
            line,
            "5 4 * * 0 set -a; . /etc/joblink/joblink.env; cd && /usr/local/bin/joblink retention run --direct --yes --json \
             2>&1 | logger -t joblink-retention # by joblink retention install"
        );
    }

    /// What Vixie's cron and cronie give to the shell: the line up to a `%`, each `\%` as `%`.
    fn command(line: &str) -> String {
        let rest = line.splitn(6, ' ').nth(5).expect("five fields and a command");
        let (mut command, mut chars) = (String::new(), rest.chars().peekable());
        while let Some(char) = chars.next() {
            match char {
                '\\' if chars.peek() == Some(&'%') => command.extend(chars.next()),
                '%' => break,
                char => command.push(char),
            }
        }
        command
    }

    #[test]
    fn a_shell_finds_program_and_settings_at_strange_places() {
        for name in
            ["plain", "two words", "100%", "%d%%", "a;b&c|d", "$HOME `x` $(y)", "~", "#1", "{a,b}!", "<größe>=1"]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let place = folder.path().join(name);
            let home = folder.path().join("home");
            fs::create_dir(&place).expect("a folder");
            fs::create_dir(&home).expect("a folder");
            let (program, settings) = (place.join("joblink"), place.join("joblink.env"));
            fs::write(&program, "#!/bin/sh\necho \"$PWD $SETTING $*\" >\"$HOME/proof\"\n").expect("a program");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program that runs");
            fs::write(&settings, "SETTING='as set'\n").expect("settings");
            let command = command(&line(None, &named(&program), &named(&settings)));
            let status = Command::new("/bin/sh").args(["-c", &command]).env("HOME", &home).current_dir(&place).status();
            let proof = fs::read_to_string(home.join("proof")).unwrap_or_default();
            let wanted = format!("{} as set retention run --direct --yes --json\n", home.display());
            assert_eq!(proof, wanted, "{name}: {command}: {status:?}");
        }
    }

    #[test]
    fn a_table_keeps_its_other_lines() {
        let (old, new) = (format!("old{MARK}"), format!("new{MARK}"));
        for (before, after) in [
            (String::new(), format!("{new}\n")),
            ("MAILTO=me\n1 2 3 4 5 x\n".to_owned(), format!("MAILTO=me\n1 2 3 4 5 x\n{new}\n")),
            ("no end".to_owned(), format!("no end\n{new}\n")),
            (format!("a\n{old}\n\n# b\n"), format!("a\n{new}\n\n# b\n")),
            (format!("{old}\na\n{old}"), format!("{new}\na\n")),
            (format!("# {old}\n"), format!("# {old}\n{new}\n")),
            (format!("{new}\n"), format!("{new}\n")),
        ] {
            assert_eq!(String::from_utf8(with_line(before.as_bytes(), &new)).expect("text"), after, "{before:?}");
        }
        assert!(with_line(b"\xff\xfe\n", &new).starts_with(b"\xff\xfe\n"), "what is no text stays as well");
    }
}
