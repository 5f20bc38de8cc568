//! `joblink retention install`: the files of `deploy/` at their places, and nothing that somebody else wrote overwritten.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::cli::program::{Ended, command, run_with};

/// A machine of its own: a root, a home, and no programs in the path.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// `joblink retention install …`, not run yet.
    fn install(&self, arguments: &[&str]) -> Command {
        let mut command = command(&["retention", "install"]);
        command.args(arguments).env("HOME", self.home()).env_remove("XDG_CONFIG_HOME").env("PATH", "");
        command
    }

    async fn system(&self, arguments: &[&str]) -> Ended {
        let mut command = self.install(&["--system"]);
        command.args(arguments).arg("--root").arg(self.root());
        run_with(command, "").await
    }

    /// A folder in which a program has this name.
    fn with_program(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("bin");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), "").unwrap();
        folder
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// A file of `deploy/`, for the program that is tested.
fn shipped(path: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let program = command(&[]).get_program().to_str().unwrap().to_owned();
    fs::read_to_string(folder.join(path)).unwrap().replace("/usr/local/bin/joblink", &program)
}

const SERVICE: &str = "root/etc/systemd/system/joblink-retention.service";
const TIMER: &str = "root/etc/systemd/system/joblink-retention.timer";
const CRON: &str = "root/etc/cron.d/joblink-retention";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_the_repository_are_put_in_place() {
    let machine = Machine::new();
    for (method, files) in [
        ("systemd", &[(SERVICE, "systemd/joblink-retention.service"), (TIMER, "systemd/joblink-retention.timer")][..]),
        ("cron", &[(CRON, "cron/joblink-retention")]),
    ] {
        let shown = machine.system(&["--method", method, "--print"]).await.well();
        assert!(!machine.folder.path().join(files[0].0).exists(), "it was only to be shown");
        let done = machine.system(&["--method", method]).await.well();
        assert_eq!(done.out, shown.out);
        for (place, file) in files {
            assert_eq!(machine.read(place), shipped(file));
            let path = machine.folder.path().join(place);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644, "{place}");
            assert!(done.err.contains(&format!("written: {}\n", path.display())), "{done:?}");
            assert!(done.out.contains(&format!("# {}\n{}", path.display(), shipped(file))), "{done:?}");
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), files.len(), "nothing else is left");
        }
        let again = machine.system(&["--method", method]).await.well();
        assert_eq!((again.out.as_str(), again.err.matches("already there: ").count()), ("", files.len()), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_is_named_and_overwritten_only_by_force() {
    let machine = Machine::new();
    machine.system(&["--method", "systemd"]).await.well();
    let own = shipped("systemd/joblink-retention.timer").replace("10min", "1h");
    fs::write(machine.folder.path().join(TIMER), &own).unwrap();
    fs::remove_file(machine.folder.path().join(SERVICE)).unwrap();
    let refused = machine.system(&["--method", "systemd"]).await;
    assert!(
        refused.sentence(3).contains(
            "is there and differs: its line 7 is \"RandomizedDelaySec=1h\" and would be \"RandomizedDelaySec=10min\"; "
        ),
        "{refused:?}"
    );
    assert_eq!(machine.read(TIMER), own);
    assert!(!machine.folder.path().join(SERVICE).exists(), "all or nothing");
    machine.system(&["--method", "systemd", "--force", "--schedule", "Mon 04:00"]).await.well();
    let wanted = shipped("systemd/joblink-retention.timer").replace("*-*-* 02:00:00 UTC", "Mon 04:00");
    assert_eq!(machine.read(TIMER), wanted);
    assert_eq!(machine.read(SERVICE), shipped("systemd/joblink-retention.service"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_units_of_their_own() {
    let machine = Machine::new();
    let bin = machine.with_program("systemctl");
    for (variable, folder) in [(None, "home/.config"), (Some("elsewhere"), "elsewhere"), (Some(""), "home/.config")] {
        let mut install = machine.install(&["--user", "--method", "systemd", "--force"]);
        install.env("PATH", &bin);
        if let Some(place) = variable {
            let place = if place.is_empty() { PathBuf::new() } else { machine.folder.path().join(place) };
            install.env("XDG_CONFIG_HOME", place);
        }
        let done = run_with(install, "").await.well();
        let service = machine.read(&format!("{folder}/systemd/user/joblink-retention.service"));
        assert!(!service.contains("User=") && !service.contains("ProtectSystem="), "{service}");
        let settings = machine.folder.path().join(folder).join("joblink/joblink.env");
        assert!(service.ends_with(&format!("EnvironmentFile={}\n", settings.display())), "{service}");
        assert!(done.err.contains("is not there yet; write DATABASE_URL="), "{done:?}");
        assert!(done.err.contains("next: loginctl enable-linger"), "{done:?}");
        assert_eq!(
            machine.read(&format!("{folder}/systemd/user/joblink-retention.timer")),
            shipped("systemd/joblink-retention.timer")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_never_run_is_refused_and_shown_all_the_same() {
    let machine = Machine::new();
    for (arguments, lacking, other) in [
        (&["--user", "--method", "systemd"], "`systemctl`", "cron"),
        (&["--system", "--method", "systemd"], "`systemctl`", "cron"),
        (&["--user", "--method", "cron"], "`crontab`", "systemd"),
        (&["--system", "--method", "cron"], "`crontab`", "systemd"),
    ] {
        let refused = run_with(machine.install(arguments), "").await;
        let said = refused.sentence(3);
        assert!(said.contains(lacking) && said.contains(&format!("use --method {other}")), "{said}");
        let shown = run_with(machine.install(&[&arguments[..], &["--print"]].concat()), "").await.well();
        assert!(shown.out.contains("retention run --direct --yes --json"), "{shown:?}");
    }
    // A unit of the machine sees nothing of /tmp.
    let hidden = tempfile::tempdir_in("/tmp").unwrap();
    let program = hidden.path().join("joblink");
    fs::copy(command(&[]).get_program(), &program).unwrap();
    let mut install = Command::new(&program);
    install.args(["retention", "install", "--system", "--method", "systemd"]);
    install.env("PATH", machine.with_program("systemctl"));
    let refused = run_with(install, "").await;
    assert!(refused.sentence(3).contains("sees nothing of /tmp; put joblink into /usr/local/bin"), "{refused:?}");
    assert!(!machine.home().exists() && !machine.root().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_a_usage_error() {
    let machine = Machine::new();
    for arguments in [
        &["--method", "cron"][..],
        &["--system", "--user", "--method", "cron"],
        &["--system"],
        &["--user", "--method", "cron", "--root", "/x"],
        &["--system", "--method", "cron", "--print", "--force"],
    ] {
        assert_eq!(run_with(machine.install(arguments), "").await.code, 2, "{arguments:?}");
    }
    for (method, wrong, said) in [
        ("cron", "--schedule=daily", "wants a line of five fields"),
        ("cron", "--schedule=0 2 * * * root reboot", "wants a line of five fields"),
        ("cron", "--schedule=0 25 * * *", "\"25\" is no hour (0 to 23)"),
        ("cron", "--schedule=0 2 31 2 *", "no day is as this cron line says"),
        ("systemd", "--schedule=daily\nUnit=other.service", "what OnCalendar= takes"),
        ("systemd", "--env-file=/a\nExecStart=/bin/sh", "control characters"),
        ("cron", "--env-file=/it's", "has quotes"),
    ] {
        let refused = machine.system(&["--method", method, wrong]).await;
        assert!(refused.sentence(2).contains(said), "{refused:?}");
    }
    assert!(!machine.root().exists());
}
