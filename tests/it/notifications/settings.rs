//! The settings of notifications, as the program reads them.

use super::receiver::SECRET;
use crate::migrations::program::run_with;

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_begins() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("none.db").display());
    let both =
        |webhook, secret| [("JOBLINK_RETENTION_WEBHOOK_URL", webhook), ("JOBLINK_RETENTION_WEBHOOK_SECRET", secret)];
    let mail = |server, from, to| {
        [("JOBLINK_SMTP_URL", server), ("JOBLINK_MAIL_FROM", from), ("JOBLINK_RETENTION_MAIL_ON_ERROR", to)]
    };
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&both("example.com", SECRET), "http or https URL"),
        (&both("https://example.com/", "secret"), "openssl rand -base64 32"),
        (&[("JOBLINK_RETENTION_WEBHOOK_URL", "https://example.com/")], "--retention-webhook-secret"),
        (&[("JOBLINK_RETENTION_MAIL_ON_ERROR", "a@example.com")], "--smtp-url"),
        (&mail("mail.example.com", "j@example.com", "a@example.com"), "smtps://USER:PASSWORD@HOST"),
        (&mail("smtp://127.0.0.1", "j@example.com", "nobody"), "\"nobody\" is no address"),
    ];
    for (settings, part) in cases {
        let ended = run_with("joblink", &url, &["serve", "--listen", "127.0.0.1:0"], settings).await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains(part), "{part}: {ended:?}");
        assert!(!ended.err.contains(SECRET), "{ended:?}");
    }
    assert!(!folder.path().join("none.db").exists(), "nothing was begun");
}

/// What the file says is seen where one setting wants another.
#[tokio::test]
async fn half_of_a_pair_in_the_settings_file_is_refused() {
    for (file, part) in [
        ("retention-webhook-url = \"https://example.com/\"", "--retention-webhook-secret"),
        ("retention-mail-on-error = \"a@example.com\"\nsmtp-url = \"smtp://127.0.0.1\"", "--mail-from"),
        ("tls-cert = \"cert.pem\"", "--tls-key"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("joblink.toml"), file).unwrap();
        let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("joblink");
        let mut command = tokio::process::Command::new(program);
        let output = command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path()).output();
        let output = output.await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part), "{said}");
    }
}

/// Who has spoiled the file finds out how it should be.
#[tokio::test]
async fn help_comes_although_the_settings_file_is_wrong() {
    for (file, part) in [("a = = b", "cannot read joblink.toml"), ("colour = 1", "unknown setting \"colour\"")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("joblink.toml"), file).unwrap();
        let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("joblink");
        let run = async |arguments: &[&str]| {
            let output = tokio::process::Command::new(&program).args(arguments).current_dir(folder.path()).output();
            output.await.unwrap()
        };
        let wrong = run(&["demo"]).await;
        assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains(part), "{wrong:?}");
        let meant = run(&["jobs", "delete", "x", "--reason", "help"]).await;
        assert!(!meant.status.success() && String::from_utf8_lossy(&meant.stderr).contains(part), "{meant:?}");
        let help = run(&["serve", "--help"]).await;
        assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--listen"), "{help:?}");
    }
}

/// Settings of the file stand in `--help` as defaults, but what they keep secret.
#[tokio::test]
async fn help_tells_what_the_settings_file_says_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = "database-url = \"postgres://joblink:hidden-word@db/joblink\"\njwt-secret = \"hidden-word\"\n\
                retention-webhook-secret = \"hidden-word\"\nsmtp-url = \"smtps://joblink:hidden-word@mail\"\n\
                retention-failed-after = \"5h\"\n";
    std::fs::write(folder.path().join("joblink.toml"), file).unwrap();
    let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("joblink");
    let output = tokio::process::Command::new(program).args(["serve", "--help"]).current_dir(folder.path()).output();
    let help = String::from_utf8(output.await.unwrap().stdout).unwrap();
    assert!(help.contains("[default: 5h]"), "{help}");
    assert!(!help.contains("hidden-word"), "{help}");
}
