//! On a terminal: what goes is shown and asked for, and what changed is asked for again.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command},
    sync::{Arc, Mutex},
};

use api::checkpoint::Checkpoint;
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use sea_orm::prelude::Uuid;
use tests::{Engine, Gate, Setup, World};

use super::{deleting::left, program::of};
use crate::deletion::file;

tests::on_both!(
    a_person_is_asked,
    a_person_can_leave,
    a_person_who_waits_can_leave,
    a_person_is_asked_again_where_it_changed
);

/// A terminal with a program on it.
pub struct Terminal {
    keys: File,
    pub seen: Arc<Mutex<String>>,
    child: Child,
}

impl Terminal {
    fn with(world: &World, arguments: &[&str]) -> Self {
        Self::of(of(world, arguments))
    }

    pub fn of(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::from(rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        let same = || slave.try_clone().unwrap();
        command.env("NO_COLOR", "1").stdin(same()).stdout(same()).stderr(same());
        let child = command.spawn().unwrap();
        let keys = File::from(master);
        let (mut screen, seen) = (keys.try_clone().unwrap(), Arc::<Mutex<String>>::default());
        let shown = seen.clone();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The end is an error on Linux.
            while let Ok(1..) = screen.read(&mut piece).inspect(|count| {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..*count]));
            }) {}
        });
        Self { keys, seen, child }
    }

    /// Ctrl-C.
    pub fn interrupts(&self) {
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits until this is to be seen for so many times.
    pub async fn shows(&self, world: &World, text: &str, times: usize) {
        world.until(async || (self.seen.lock().unwrap().matches(text).count() >= times).then_some(())).await;
    }

    pub fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    pub async fn ended(&mut self, world: &World) -> i32 {
        let child = Mutex::new(&mut self.child);
        world.until(async || child.lock().unwrap().try_wait().unwrap()).await.code().unwrap()
    }
}

async fn a_person_is_asked(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    for (answer, code) in [("n\r", 3), ("\r", 3), ("yes please\r", 3), ("y\r", 0)] {
        assert_eq!(left(&world).await, 1);
        let mut terminal = Terminal::with(&world, &["delete", &id, "--with-predictions"]);
        terminal.shows(&world, "Delete 1 job? [y/N]", 1).await;
        terminal.shows(&world, "3 predictions deleted", 1).await;
        terminal.types(answer);
        assert_eq!(terminal.ended(&world).await, code, "{answer:?}");
    }
    assert_eq!(left(&world).await, 0);
}

async fn a_person_can_leave(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", file(3)).await;
    let mut terminal = Terminal::with(&world, &["delete", &id]);
    terminal.shows(&world, "Delete 1 job? [y/N]", 1).await;
    terminal.interrupts();
    assert_eq!(terminal.ended(&world).await, 1);
    terminal.shows(&world, "interrupted", 1).await;
    assert_eq!(left(&world).await, 1);
}

async fn a_person_who_waits_can_leave(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, file(3)).unwrap();
    let mut terminal = Terminal::with(&world, &["upload", path.to_str().unwrap(), "--kind", "annual", "--wait"]);
    world.until(async || (left(&world).await == 1).then_some(())).await;
    let id = world.one::<Uuid>("SELECT id FROM bulk_upload_jobs", []).await.to_string();
    terminal.shows(&world, &id, 1).await;
    terminal.shows(&world, "rows read", 1).await;
    terminal.interrupts();
    assert_eq!(terminal.ended(&world).await, 1);
    terminal.shows(&world, "interrupted; the jobs go on at the server", 1).await;
    let mut terminal = Terminal::with(&world, &["watch", &id]);
    terminal.shows(&world, "PENDING", 1).await;
    terminal.interrupts();
    assert_eq!(terminal.ended(&world).await, 1);
    terminal.shows(&world, "interrupted; the jobs go on at the server", 1).await;
    assert_eq!(left(&world).await, 1);
}

async fn a_person_is_asked_again_where_it_changed(engine: Engine) {
    let (mut gate, checkpoints) = Gate::first(Checkpoint::DeletionBegins, 1);
    let world = World::with(engine, Setup { checkpoints, idle: true, ..Setup::default() }).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let mut terminal = Terminal::with(&world, &["delete", &job.to_string(), "--with-predictions"]);
    terminal.shows(&world, "Delete 1 job? [y/N]", 1).await;
    terminal.types("y\r");
    gate.wait().await;
    world.linked_predictions(job, "source_file", 4).await;
    gate.open();
    terminal.shows(&world, "Delete 1 job? [y/N]", 2).await;
    terminal.shows(&world, "4 predictions deleted", 1).await;
    assert_eq!(left(&world).await, 1);
    terminal.types("y\r");
    assert_eq!(terminal.ended(&world).await, 0);
    assert_eq!((left(&world).await, world.count("SELECT count(*) FROM annual_predictions").await), (0, 0));
}
