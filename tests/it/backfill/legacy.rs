//! The quality of the links: on the dumps of real installations where they are at hand, and on simulated pasts.

use std::{
    collections::HashMap,
    process::{Command, Stdio},
};

use flate2::read::GzDecoder;
use migration::backfill::{Pace, Settings, plan, run, undo};
use sea_orm::prelude::Uuid;
use tempfile::TempDir;
use tests::Engine;

use super::{Compared, compare, links, simulated, with_sources};
use crate::migrations::site::{Site, shared};

#[tokio::test]
async fn a_dump_of_utc_is_linked_as_it_was() {
    dump("utc").await;
}

#[tokio::test]
async fn a_dump_of_another_zone_is_linked_as_it_was() {
    dump("offset").await;
}

async fn dump(name: &str) {
    let Some(site) = Site::dump(name).await else { return };
    migration::up(&site.db, None, migration::lock::WAIT).await.unwrap();
    let (truth, sources) = known(name);
    let file = with_sources(&sources.path().join("sources"));
    let time = Settings { accept_time_window: true, ..Settings::default() };
    for (settings, per_mille) in [(file, 997), (Settings::default(), 0), (time, 600)] {
        let planned = plan(&site.db, &settings).await.unwrap();
        let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
        assert_eq!(outcome.report, planned, "{name}: a run does what was planned");
        let links = links(&site).await;
        let Compared { right, wrong, of } = compare(&truth, &links);
        assert_eq!(wrong, 0, "{name}: wrong links with {settings:?}");
        assert!(planned.by_time().is_none_or(|(_, expected)| expected <= 3), "{name}: {:?}", planned.by_time());
        assert!(right * 1000 >= per_mille * of, "{name}: {right} of {of} linked with {settings:?}");
        assert_eq!((outcome.overtaken, right as u64), (0, planned.total_linked()));
        assert_eq!(undo(&site.db, outcome.run, false).await.unwrap(), right as u64);
    }
}

/// The job of each prediction of a dump, and its files.
fn known(name: &str) -> (HashMap<Uuid, Option<Uuid>>, TempDir) {
    let folder = shared().unwrap().join("legacy").join(name);
    let truth = GzDecoder::new(std::fs::File::open(folder.join("truth.csv.gz")).unwrap());
    let truth = csv::Reader::from_reader(truth)
        .into_records()
        .map(|record| record.unwrap())
        .map(|record| (record[1].parse().unwrap(), record[2].parse().ok()))
        .collect();
    let sources = TempDir::new().unwrap();
    let archive = std::fs::File::open(folder.join("sources.tar.gz")).unwrap();
    let mut tar =
        Command::new("tar").args(["-xz", "-C"]).arg(sources.path()).stdin(Stdio::from(archive)).spawn().unwrap();
    assert!(tar.wait().unwrap().success(), "the sources are not unpacked");
    (truth, sources)
}

tests::on_both!(no_habit_of_users_and_clocks_makes_a_wrong_link);

async fn no_habit_of_users_and_clocks_makes_a_wrong_link(engine: Engine) {
    let seeds = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 40 } else { 4 };
    let (mut linked, mut plain) = (0, 0);
    for seed in 0..seeds {
        let (site, past) = simulated(engine, seed).await;
        let settings = with_sources(past.sources.path());
        let planned = plan(&site.db, &settings).await.unwrap();
        let outcome = run(&site.db, &settings, Pace { batch_size: 70, ..Pace::default() }).await.unwrap();
        assert_eq!(outcome.report, planned, "seed {seed}: a run does what was planned");
        let links = links(&site).await;
        let Compared { right, wrong, of } = compare(&past.truth, &links);
        assert_eq!(wrong, 0, "seed {seed}: wrong links, {right} right of {of}");
        linked += past.plain.iter().filter(|id| links.contains_key(id)).count();
        plain += past.plain.len();
    }
    // These habits are far worse than those of the dumps: two files of one length in one second, rows alone.
    assert!(linked * 1000 >= plain * 995, "{linked} of {plain} linked");
}
