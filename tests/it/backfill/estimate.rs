//! Links by time alone: few are wrong, and a plan says about how many.

use migration::backfill::{Pace, Settings, plan, run};
use tests::Engine;

use super::{compare, links, simulated};

#[tokio::test]
async fn links_by_time_alone_are_seldom_wrong_and_a_plan_says_how_many() {
    let seeds = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 60 } else { 6 };
    let (mut linked, mut wrong, mut expected) = (0, 0, 0);
    for seed in 0..seeds {
        let (site, past) = simulated(Engine::Sqlite, 1000 + seed).await;
        let settings = Settings { accept_time_window: true, ..Settings::default() };
        let planned = plan(&site.db, &settings).await.unwrap();
        let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
        assert_eq!(outcome.report, planned, "seed {seed}: a run does what was planned");
        let (by_time, likely_wrong) = planned.by_time().unwrap();
        linked += by_time;
        expected += likely_wrong;
        wrong += compare(&past.truth, &links(&site).await).wrong as u64;
    }
    assert!(linked > seeds * 200, "only {linked} links");
    assert!(wrong * 5000 <= linked, "{wrong} of {linked} are wrong");
    let near = |left: u64, right: u64| left <= 3 * right || left <= right + 3;
    assert!(near(wrong, expected) && near(expected, wrong), "{wrong} are wrong, {expected} were expected");
}
