//! `joblink retention install`: what runs retention every night from outside, from the files in `deploy/`.

mod crontab;
mod file;
mod named;
mod schedule;
mod units;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};

use self::{
    file::{File, Standing},
    named::Named,
};
use crate::cli::{Exit, output};

/// What `install` takes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["system", "user"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// For the whole machine, as root: it runs as the user joblink, in /var/lib/joblink
    #[arg(long)]
    system: bool,
    /// For yourself: it runs as you, in your home folder
    #[arg(long)]
    user: bool,
    /// What is to run it
    #[arg(long, value_name = "METHOD")]
    method: Method,
    /// When, instead of each night at 2:00, for systemd by UTC. For cron a line of five fields by the machine's clock, such as
    /// '30 3 * * 1-5'; for systemd what `OnCalendar=` takes, such as 'Mon..Fri 03:30 UTC'
    #[arg(long, value_name = "TIMES")]
    schedule: Option<String>,
    /// The file with the settings, VARIABLE=value on each line: /etc/joblink/joblink.env; with --user joblink/joblink.env in
    /// `$XDG_CONFIG_HOME` or ~/.config
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    print: bool,
    /// Overwrite files that are there and differ
    #[arg(long, conflicts_with = "print")]
    force: bool,
    /// The root of the machine, where it is not this one, as that of an image that is being made
    #[arg(long, value_name = "DIR", conflicts_with = "user")]
    root: Option<PathBuf>,
}

/// What runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// The cron daemon
    Cron,
    /// A timer of systemd
    Systemd,
}

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    System,
    User,
}

/// What is to be there then.
enum Wanted {
    Files(Vec<File>),
    /// A line of the caller's own table.
    Line(String),
}

/// Where crontabs of the whole machine are.
const CRON_D: &str = "/etc/cron.d";
/// Where a unit of the whole machine sees no program, or none that stays (`ProtectHome`, `PrivateTmp`).
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Installs it, or shows what would be installed.
pub fn install(arguments: &Arguments) -> Result<(), Exit> {
    let scope = if arguments.system { Scope::System } else { Scope::User };
    let wanted = wanted(arguments, scope)?;
    if arguments.print {
        show(&wanted)?;
    } else {
        check_machine(arguments, scope)?;
        match &wanted {
            Wanted::Files(files) => write(files, arguments.force)?,
            Wanted::Line(line) => put_in_crontab(line)?,
        }
    }
    next(arguments, scope)
}

fn wanted(arguments: &Arguments, scope: Scope) -> Result<Wanted, Exit> {
    let (program, settings) = (program(arguments.root.as_deref())?, Named::new(&env_file(arguments, scope)?)?);
    let below = |path: &str| match &arguments.root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let when = arguments.schedule.as_deref();
    Ok(match (arguments.method, scope) {
        (Method::Systemd, _) => {
            let when = when.map(schedule::calendar).transpose()?;
            let folder = match scope {
                Scope::System => below("/etc/systemd/system"),
                Scope::User => config_folder()?.join("systemd/user"),
            };
            let file = |name: &str, text| File { path: folder.join(name), text };
            Wanted::Files(vec![
                file("joblink-retention.service", units::service(scope, &program, &settings)),
                file("joblink-retention.timer", units::timer(when.as_deref())),
            ])
        }
        (Method::Cron, Scope::System) => {
            let text = crontab::system(when.map(schedule::cron).transpose()?.as_deref(), &program, &settings);
            Wanted::Files(vec![File { path: below(CRON_D).join("joblink-retention"), text }])
        }
        (Method::Cron, Scope::User) => {
            Wanted::Line(crontab::line(when.map(schedule::cron).transpose()?.as_deref(), &program, &settings))
        }
    })
}

/// This program, as the machine that runs it will find it.
fn program(root: Option<&Path>) -> Result<Named, Exit> {
    let path = std::env::current_exe().ok().filter(|path| path.is_file());
    let path =
        path.ok_or_else(|| Exit::Failed("the file of this program is gone; start it by its new one".to_owned()))?;
    let root = root.and_then(|root| root.canonicalize().ok());
    let inside = root.and_then(|root| path.strip_prefix(root).map(|inside| Path::new("/").join(inside)).ok());
    Named::new(&inside.unwrap_or(path))
}

fn env_file(arguments: &Arguments, scope: Scope) -> Result<PathBuf, Exit> {
    match (&arguments.env_file, scope) {
        (Some(path), _) => {
            std::path::absolute(path).map_err(|error| Exit::failed("cannot tell where --env-file is", error))
        }
        (None, Scope::System) => Ok(PathBuf::from(named::ENV_FILE)),
        (None, Scope::User) => Ok(config_folder()?.join("joblink/joblink.env")),
    }
}

/// Where the settings of a user's programs are, by the XDG Base Directory Specification.
fn config_folder() -> Result<PathBuf, Exit> {
    let given = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".config"));
    let found = given.filter(|path| path.is_absolute()).or_else(usual).filter(|path| path.is_absolute());
    found.ok_or_else(|| Exit::Failed("your home folder is not known; say where it is in HOME".to_owned()))
}

/// Refuses what would never run here.
fn check_machine(arguments: &Arguments, scope: Scope) -> Result<(), Exit> {
    if arguments.root.is_some() {
        return Ok(());
    }
    let lacks = |what: &str, other: &str| {
        Err(Exit::Refused(format!(
            "this machine has no {what}; use --method {other}, or see by --print what would be written"
        )))
    };
    match (arguments.method, scope) {
        (Method::Systemd, _) if !is_installed("systemctl") => lacks("systemd (no `systemctl` is found)", "cron"),
        (Method::Cron, _) if !is_installed("crontab") => lacks("cron (no `crontab` is found)", "systemd"),
        (Method::Cron, Scope::System) if !Path::new(CRON_D).is_dir() => lacks("/etc/cron.d", "systemd"),
        (Method::Systemd, Scope::System) => {
            let program = program(None)?;
            match HIDDEN.iter().find(|folder| Path::new(program.as_str()).starts_with(folder)) {
                Some(folder) => Err(Exit::Refused(format!(
                    "the unit will not see {program}, as it sees nothing of {folder}; put joblink into /usr/local/bin and \
                     run this from there"
                ))),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Whether the shell would find it.
fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Prints it, as `systemctl cat` does.
fn show(wanted: &Wanted) -> Result<(), Exit> {
    match wanted {
        Wanted::Files(files) => {
            for File { path, text } in files {
                output::say(format!("# {}\n{text}", output::clean(&path.display().to_string())))?;
            }
        }
        Wanted::Line(line) => {
            output::say(line)?;
        }
    }
    Ok(())
}

/// Writes them all, or none where one is there that differs.
fn write(files: &[File], force: bool) -> Result<(), Exit> {
    let mut left = Vec::new();
    for file in files {
        match file.standing()? {
            Standing::Same => output::tell(format!("already there: {file}")),
            Standing::Differs(how) if !force => {
                return Err(Exit::Refused(format!(
                    "{file} is there and differs: {how}; see by --print what would be written, and overwrite it with --force"
                )));
            }
            Standing::Missing | Standing::Differs(_) => left.push(file),
        }
    }
    for file in left {
        file.write()?;
        output::tell(format!("written: {file}"));
        output::say(format!("# {file}\n{}", file.text))?;
    }
    Ok(())
}

fn put_in_crontab(line: &str) -> Result<(), Exit> {
    let before = crontab::read()?;
    let after = crontab::with_line(&before, line);
    if after == before {
        output::tell("already there: the line in your crontab");
        return Ok(());
    }
    crontab::write(&after)?;
    output::tell("written: a line of your crontab");
    output::say(line)?;
    Ok(())
}

/// Says what is left to do.
fn next(arguments: &Arguments, scope: Scope) -> Result<(), Exit> {
    let settings = env_file(arguments, scope)?;
    let named = output::clean(&settings.display().to_string());
    if arguments.root.is_none() && !settings.exists() {
        let place = if scope == Scope::User { ", with whole paths" } else { "" };
        output::tell(format!(
            "next: {named} is not there yet; write DATABASE_URL='…' and JOBLINK_ARTIFACTS='…' into it{place}, the settings of \
             notifications too where servers have some, and let nobody else read it"
        ));
    }
    let steps: &[&str] = match (arguments.method, scope) {
        (Method::Systemd, Scope::System) => &[
            "the user joblink must be there: useradd --system --home-dir /var/lib/joblink --shell /usr/sbin/nologin joblink",
            "systemctl daemon-reload && systemctl enable --now joblink-retention.timer",
            "systemctl start joblink-retention runs it at once, and journalctl -u joblink-retention shows what it did",
        ],
        (Method::Systemd, Scope::User) => &[
            "systemctl --user daemon-reload && systemctl --user enable --now joblink-retention.timer",
            "loginctl enable-linger lets it run while you are not logged in",
            "systemctl --user start joblink-retention runs it at once, and journalctl --user -u joblink-retention shows what it did",
        ],
        (Method::Cron, Scope::System) => &[
            "the user joblink must be there, own /var/lib/joblink and be able to read the settings",
            "the system's log shows what it did, under the name joblink-retention",
        ],
        (Method::Cron, Scope::User) => &["the system's log shows what it did, under the name joblink-retention"],
    };
    for step in steps {
        output::tell(format!("next: {step}"));
    }
    Ok(())
}
