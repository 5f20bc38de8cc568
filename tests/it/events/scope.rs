//! Who is told what.

use api::events::{Event, Missed, Wanted};
use entity::job;
use futures_util::{StreamExt, stream::BoxStream};
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, prelude::Uuid};
use serde_json::json;
use tests::{Engine, Person, Setup, World, people};

use super::{at_hand, client::Client, line, next, shown, told, viewer};
use crate::deletion::DELETE;

tests::on_both!(
    the_rule_for_rows_at_hand_is_the_one_in_sql,
    each_is_told_of_what_they_see_and_of_nothing_else,
    an_unknown_a_foreign_and_a_malformed_id_are_silent_alike,
);

const CANCEL: &str = "mutation($id: ID!) { cancelJob(id: $id) { job { status } userErrors { message } } }";

/// Everybody, their jobs, and a job of Anna's outside her organization.
struct Town {
    world: World,
    people: Vec<Person>,
    jobs: Vec<Uuid>,
}

async fn town(engine: Engine) -> Town {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let all = people(&world).await;
    let people = vec![all.anna, all.ben, all.carla, all.dora, all.emil, all.olga];
    let mut jobs = Vec::new();
    for person in &people {
        jobs.push(world.adopted_job(person.id, person.organization, "annual", "pending").await);
    }
    jobs.push(world.adopted_job(people[0].id, None, "annual", "pending").await);
    Town { world, people, jobs }
}

impl Town {
    /// The jobs that somebody sees by the rule in SQL, in order.
    async fn seen_by(&self, person: &Person) -> Vec<Uuid> {
        let query = job::Entity::find().filter(viewer(&self.world, &person.token).await.sees_job());
        let rows = query.order_by_asc(job::Column::Id).all(self.world.app.db.reader()).await.unwrap();
        rows.into_iter().map(|job| job.id).collect()
    }

    /// The operator, who may change everything.
    fn olga(&self) -> &Person {
        self.people.last().unwrap()
    }

    async fn watch(&self, person: &Person, wanted: Wanted) -> BoxStream<'static, Result<Event, Missed>> {
        told(&self.world, &viewer(&self.world, &person.token).await, wanted).await
    }

    async fn cancel_and_delete(&self, job: Uuid) {
        self.world.data_to(&self.olga().token, CANCEL, json!({ "id": job })).await;
        let answer = self.world.data_to(&self.olga().token, DELETE, json!({ "id": job })).await;
        assert_eq!(answer["deleteJob"]["deletedJobId"], json!(job), "{answer}");
    }
}

async fn the_rule_for_rows_at_hand_is_the_one_in_sql(engine: Engine) {
    let town = town(engine).await;
    let rows = job::Entity::find().order_by_asc(job::Column::Id).all(town.world.app.db.reader()).await.unwrap();
    let mut numbers = Vec::new();
    for person in &town.people {
        let viewer = viewer(&town.world, &person.token).await;
        let at_hand = rows.iter().filter(|row| viewer.sees_row(row.organization_id, row.user_id));
        let at_hand: Vec<_> = at_hand.map(|row| row.id).collect();
        assert_eq!(at_hand, town.seen_by(person).await);
        numbers.push(at_hand.len());
    }
    assert_eq!(numbers, [3, 3, 3, 1, 1, 7]);
}

async fn each_is_told_of_what_they_see_and_of_nothing_else(engine: Engine) {
    let town = town(engine).await;
    let mut watching = Vec::new();
    for person in &town.people {
        let seen = town.seen_by(person).await;
        watching.push((seen, town.watch(person, Wanted::All).await));
    }
    for job in &town.jobs {
        town.cancel_and_delete(*job).await;
    }
    // The operator is told of all; when the last came, every other has theirs.
    let (_, olgas) = watching.last_mut().unwrap();
    let mut of_olga = Vec::new();
    for _ in 0..town.jobs.len() * 2 {
        of_olga.push(next(olgas).await.unwrap());
    }
    let all: Vec<_> = town.jobs.iter().flat_map(|job| [line("status", *job), line("deleted", *job)]).collect();
    assert_eq!(of_olga, all);
    for (seen, stream) in &mut watching[..5] {
        let told: Vec<_> = at_hand(stream).into_iter().map(shown).collect();
        let wanted: Vec<_> = seen.iter().flat_map(|job| [line("status", *job), line("deleted", *job)]).collect();
        assert_eq!(told, wanted);
    }
}

async fn an_unknown_a_foreign_and_a_malformed_id_are_silent_alike(engine: Engine) {
    let town = town(engine).await;
    let [anna, ben, _, dora, emil, _] = &town.people[..] else { panic!("six people") };
    let job = town.jobs[0];
    let mut silent = Vec::new();
    for stranger in [dora, emil] {
        for wanted in [Wanted::Job(job), Wanted::Job(Uuid::now_v7()), Wanted::Nothing] {
            silent.push(town.watch(stranger, wanted).await);
        }
    }
    let mut client = Client::signed_in(&town.world, &dora.token).await;
    for (id, job) in [("foreign", job.to_string()), ("unknown", Uuid::now_v7().to_string()), ("none", "x".to_owned())] {
        client.watch(id, Some(&job)).await;
    }
    let mut colleague = town.watch(ben, Wanted::Job(job)).await;
    town.cancel_and_delete(job).await;
    let mut heard: Vec<_> = colleague.by_ref().map(shown).collect().await;
    // How it stood at first may have been told twice.
    heard.dedup();
    assert_eq!(heard, [line("status", job), line("deleted", job)]);
    // Nor does the receipt tell strangers anything.
    for stranger in [dora, emil] {
        silent.push(town.watch(stranger, Wanted::Job(job)).await);
    }
    for person in [anna, ben, town.olga()] {
        let told: Vec<_> = town.watch(person, Wanted::Job(job)).await.map(shown).collect().await;
        assert_eq!(told, [line("deleted", job)]);
    }
    for stream in &mut silent {
        assert_eq!(at_hand(stream), []);
    }
    // Whatever was sent to the stranger would have come before this.
    client.watch("own", Some(&town.jobs[3].to_string())).await;
    assert_eq!(client.next().await["id"], "own");
}
