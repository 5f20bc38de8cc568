//! Servers in processes of their own, and one address for all of them.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::cli::program::{command, command_of};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What servers have in common.
pub struct Settings {
    pub database: String,
    pub artifacts: String,
    /// How long a server that is told to stop goes on as before, in seconds.
    pub drain: u8,
    /// Where their logs go.
    pub folder: PathBuf,
}

impl Settings {
    fn log(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.folder.join(name)).unwrap()
    }
}

/// A server.
pub struct Served {
    process: Child,
    pub base: String,
    settings: Arc<Settings>,
}

impl Served {
    /// One of this version, or of another one, whose program is given.
    pub fn start(settings: &Arc<Settings>, program: Option<&Path>) -> Self {
        Self::at("127.0.0.1:0", settings, program)
    }

    fn at(listen: &str, settings: &Arc<Settings>, program: Option<&Path>) -> Self {
        let drain = settings.drain.to_string();
        let arguments = ["serve", "--listen", listen, "--workers", "1", "--drain-delay", &drain];
        let mut process = program
            .map_or_else(|| command(&arguments), |program| command_of(program, &arguments))
            .args(["--artifacts", &settings.artifacts])
            .env("DATABASE_URL", &settings.database)
            .stdout(Stdio::piped())
            .stderr(settings.log("log"))
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let base = loop {
            let line = lines.next().expect("the server serves").unwrap();
            if let Some(url) = line.strip_prefix("GraphQL ") {
                break url.trim().trim_end_matches("/graphql").to_owned();
            }
        };
        // It is no error that nobody reads what it says from here on.
        Self { process, base, settings: settings.clone() }
    }

    /// Starts it where it was, of this version.
    pub fn again(&mut self) {
        let listen = self.base.trim_start_matches("http://").to_owned();
        *self = Self::at(&listen, &self.settings, None);
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "a server that is told to stop ends well");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The one address: a balancer that gives requests to the servers that say that they are ready.
pub struct Balancer {
    process: Child,
    pub base: String,
}

impl Balancer {
    pub fn start(servers: &[Served], settings: &Settings) -> Self {
        let address = |server: &Served| server.base.trim_start_matches("http://").to_owned();
        let lines =
            servers.iter().enumerate().map(|(number, server)| format!("    server s{number} {}\n", address(server)));
        let text = format!(
            "defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 3s
    option redispatch 1
frontend joblink
    bind fd@0
    default_backend servers
backend servers
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host 127.0.0.1
    default-server check inter 200ms fall 1 rise 1
{}",
            lines.collect::<String>()
        );
        let file = settings.folder.join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        // It is given the socket, so that the system can choose its port.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let process = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(file)
            .stdin(OwnedFd::from(listener))
            .stdout(settings.log("haproxy.log"))
            .stderr(settings.log("haproxy.log"))
            .spawn()
            .expect("HAProxy is installed (Debian: haproxy)");
        Self { process, base }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Waits until requests to a server, or to all by their one address, are answered.
pub async fn ready(http: &reqwest::Client, base: &str) {
    let began = Instant::now();
    loop {
        let asked = http.get(format!("{base}/readyz")).timeout(PATIENCE).send().await;
        if asked.is_ok_and(|response| response.status().is_success()) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{base} is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
