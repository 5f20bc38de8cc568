//! The server, a sweep, or a run of the retention policy that dies at a checkpoint as `kill -9` ends a program: for the tests of
//! what a crash leaves.
//!
//! `crash URL STORE serve|idle|sweep|retain [kill=CHECKPOINT:N] [hold=CHECKPOINT:N] [until=CHECKPOINT]`: it is killed when somebody
//! passes a checkpoint for the Nth time; whoever passes that of `hold` from the Nth time on waits, until somebody passes the
//! one of `until`.

use std::{
    collections::HashMap,
    env,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use api::{
    app::{App, Limits},
    audit::Actor,
    auth::Access,
    checkpoint::{Checkpoint, Checkpoints},
    database::{Database, now},
    files::sweep,
    retention::run::{self, Purges, Wanted},
    server::Server,
};
use artifacts::ArtifactStore;
use entity::stored::RetentionTrigger;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// A checkpoint's name, and how often it is passed until something happens.
type At = (String, usize);

#[derive(Default)]
struct Plan {
    kill: Option<At>,
    hold: Option<At>,
    until: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut next =
        || arguments.next().context("usage: crash URL STORE serve|idle|sweep|retain [kill=…] [hold=…] [until=…]");
    let (url, store, what) = (next()?, next()?, next()?);
    let plan = plan(arguments)?;
    let limits = Limits { batch_rows: 20, ..Limits::default() };
    let store = ArtifactStore::open(&store)?;
    let mut app = App::new(Database::connect(&url, 8).await?, store, limits, chrono_tz::UTC, checkpoints(plan));
    let start = match what.as_str() {
        "serve" => Server::start,
        "idle" => Server::start_idle,
        "sweep" => {
            sweep::sweep(&app, Duration::ZERO, false).await?;
            bail!("the sweep came to its end");
        }
        "retain" => {
            // As `joblink retention run --direct`.
            app.retention.batch_size = 2;
            let (trigger, policy) = (RetentionTrigger::Command, app.retention.policy);
            let wanted =
                Wanted { trigger, by: Actor::default(), scheduled_for: None, policy, at: now(), claimed: true };
            let run = run::begin(&app, &wanted).await?.context("the run was not begun")?;
            run::carry_out(&app, run, &CancellationToken::new(), Purges::Here).await?;
            bail!("the run came to its end");
        }
        what => bail!("{what} is none of serve, idle, sweep and retain"),
    };
    let server = start(app, Access::Local, TcpListener::bind("127.0.0.1:0").await?)?;
    println!("http://{}", server.address);
    std::future::pending().await
}

fn plan(arguments: impl Iterator<Item = String>) -> Result<Plan> {
    let mut plan = Plan::default();
    for argument in arguments {
        let (what, at) = argument.split_once('=').with_context(|| format!("what is {argument}?"))?;
        let (name, nth) = at.split_once(':').unwrap_or((at, "1"));
        let at = Some((name.to_owned(), nth.parse()?));
        match what {
            "kill" => plan.kill = at,
            "hold" => plan.hold = at,
            "until" => plan.until = Some(name.to_owned()),
            _ => bail!("{what} is none of kill, hold and until"),
        }
    }
    Ok(plan)
}

fn checkpoints(plan: Plan) -> Checkpoints {
    let (plan, held) = (Arc::new(plan), Arc::new(Semaphore::new(0)));
    let passed: Mutex<HashMap<Checkpoint, usize>> = Mutex::default();
    Checkpoints::hooked(move |at| {
        let name = format!("{at:?}");
        let times = {
            let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
            let times = passed.entry(at).or_default();
            *times += 1;
            *times
        };
        if plan.kill.as_ref().is_some_and(|(kill, nth)| *kill == name && times == *nth) {
            die();
        }
        if plan.until.as_ref() == Some(&name) {
            held.close();
        }
        let holds = plan.hold.as_ref().is_some_and(|(hold, nth)| *hold == name && times >= *nth);
        let held = held.clone();
        Box::pin(async move {
            if holds {
                // It never has a permit: whoever waits goes on when it is closed.
                _ = held.acquire().await;
            }
            Ok(())
        })
    })
}

/// Ends the program at once: no destructor runs, nothing is closed.
fn die() -> ! {
    let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    unreachable!("it outlived its own end: {killed:?}")
}
