//! Predictions without a link that look as if a job had made them: the preview says how many there are, so that nobody
//! believes that a deletion takes everything with it.

use std::collections::HashMap;

use entity::{annual_prediction, company, job, quarterly_prediction};
use migration::backfill::{Pace, run};
use sea_orm::{EntityTrait, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::{
    backfill::{simulated, with_sources},
    graphql::{at, new_annual, new_company, new_job, new_quarterly, store},
};

tests::on_both!(only_what_the_job_could_have_made_is_counted, a_backfill_leaves_as_look_alikes_what_it_does_not_link);

/// How many look-alikes each job has, by the preview.
async fn look_alikes(world: &World, token: Option<&str>, jobs: &[Uuid]) -> HashMap<Uuid, u64> {
    let query = "query($ids: [ID!]!) { deletionPreview(ids: $ids, force: true) {
        deletable { job { id } unlinkedLookAlikes } refused { jobId } } }";
    let mut counts = HashMap::new();
    for ids in jobs.chunks(100) {
        let answer = match token {
            Some(token) => world.data_to(token, query, json!({ "ids": ids })).await,
            None => world.data(query, json!({ "ids": ids })).await,
        };
        assert_eq!(answer["deletionPreview"]["refused"], json!([]));
        counts.extend(answer["deletionPreview"]["deletable"].as_array().unwrap().iter().map(|job: &Value| {
            (job["job"]["id"].as_str().unwrap().parse::<Uuid>().unwrap(), job["unlinkedLookAlikes"].as_u64().unwrap())
        }));
    }
    counts
}

async fn only_what_the_job_could_have_made_is_counted(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let (anna, ben, emil) = (&people.anna, &people.ben, &people.emil);
    let (start, end) = (at("2026-01-02T10:00:00"), at("2026-01-02T11:00:00"));
    let window = |job: job::Model| job::Model { started_at: Some(start), completed_at: Some(end), ..job };

    let job = window(new_job(anna.id, anna.organization));
    let quarterly = job::Model { job_type: "quarterly".to_owned(), ..window(new_job(anna.id, anna.organization)) };
    let crashed = job::Model {
        status: Some("processing".to_owned()),
        completed_at: None,
        updated_at: Some(at("2026-01-02T10:30:00")),
        ..window(new_job(anna.id, anna.organization))
    };
    let unending = job::Model { updated_at: None, ..crashed.clone() };
    let unending = job::Model { id: Uuid::now_v7(), ..unending };
    let unstarted = job::Model { started_at: None, ..window(new_job(anna.id, anna.organization)) };
    let own = job::Model { origin: Some("joblink".to_owned()), ..window(new_job(anna.id, anna.organization)) };
    let colleagues = window(new_job(ben.id, ben.organization));
    let personal = window(new_job(emil.id, None));
    let expected = HashMap::from([
        (job.id, 4),
        (quarterly.id, 1),
        (crashed.id, 2),
        (unending.id, 0),
        (unstarted.id, 0),
        (own.id, 0),
        (colleagues.id, 0),
    ]);
    let (job_id, personal_id) = (job.id, personal.id);
    let jobs = [job, quarterly, crashed, unending, unstarted, own, colleagues, personal];
    store::<job::Entity>(&world, jobs).await;

    let firm = new_company(anna.id, anna.organization, "A", "Anna's");
    let emils = new_company(emil.id, None, "E", "Emil's");
    let row = |predicted_at| annual_prediction::Model { predicted_at, ..new_annual(&firm) };
    let inside = || row(Some(at("2026-01-02T10:45:00")));
    let linked = |job_id, link: &str| annual_prediction::Model { job_id, job_link: Some(link.to_owned()), ..inside() };
    let rows = [
        row(Some(start)),
        row(Some(at("2026-01-02T10:30:00"))),
        inside(),
        row(Some(end)),
        row(Some(at("2026-01-02T09:59:59.999999"))),
        row(Some(at("2026-01-02T11:00:00.000001"))),
        row(None),
        linked(Some(job_id), "manifest"),
        linked(None, "released"),
        annual_prediction::Model { created_by: None, ..inside() },
        annual_prediction::Model { created_by: Some(people.dora.id), ..inside() },
        annual_prediction::Model { organization_id: people.dora.organization, ..inside() },
        annual_prediction::Model { organization_id: None, ..inside() },
        annual_prediction::Model { predicted_at: Some(end), ..new_annual(&emils) },
    ];
    let quarter = quarterly_prediction::Model { predicted_at: Some(start), ..new_quarterly(&firm) };
    store::<company::Entity>(&world, [firm, emils]).await;
    store::<annual_prediction::Entity>(&world, rows).await;
    store::<quarterly_prediction::Entity>(&world, [quarter]).await;

    let ids: Vec<Uuid> = expected.keys().copied().collect();
    assert_eq!(look_alikes(&world, Some(&people.carla.token), &ids).await, expected);
    let personal = [personal_id];
    assert_eq!(look_alikes(&world, Some(&emil.token), &personal).await, HashMap::from([(personal_id, 1)]));
    world.check_invariants().await;
}

async fn a_backfill_leaves_as_look_alikes_what_it_does_not_link(engine: Engine) {
    let (site, past) = simulated(engine, 8).await;
    let world = World::with(engine, Setup { url: Some(site.url.clone()), idle: true, ..Default::default() }).await;
    let jobs = job::Entity::find().all(&site.db).await.unwrap();
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let mut totals = Vec::new();
    for linked in [false, true] {
        if linked {
            run(&site.db, &with_sources(past.sources.path()), Pace::default()).await.unwrap();
        }
        let rows = annual_prediction::Entity::find().all(&site.db).await.unwrap();
        let of_job = |job: &job::Model| {
            let (start, end) = (job.started_at, job.completed_at.or(job.updated_at));
            let looks_so = |row: &&annual_prediction::Model| {
                row.created_by == Some(job.user_id)
                    && row.organization_id == job.organization_id
                    && (row.job_id, row.job_link.as_ref()) == (None, None)
                    && (start..=end).contains(&row.predicted_at)
            };
            (job.id, rows.iter().filter(looks_so).count() as u64)
        };
        let expected: HashMap<Uuid, u64> = jobs.iter().map(of_job).collect();
        assert_eq!(look_alikes(&world, None, &ids).await, expected, "linked: {linked}");
        totals.push(expected.values().sum::<u64>());
    }
    let links = site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await.unsigned_abs();
    assert!(links > 0 && totals[0] >= totals[1] + links, "{totals:?} after {links} links");
    world.check_invariants().await;
}
