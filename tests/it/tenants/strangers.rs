//! An id of another tenant, of another user's personal space, and of nothing at all are answered alike, wherever the
//! contract takes an id: byte for byte, and never with any data.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use reqwest::RequestBuilder;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::Engine;

use super::{
    town::{Asker, Space, Thing, Town, town},
    walk::{ID, Schema},
};
use crate::events::client::Client;

tests::on_both!(
    a_foreign_id_is_answered_like_one_of_nothing,
    a_foreign_file_is_answered_like_none,
    a_foreign_id_is_watched_in_silence,
);

/// Requests at a time.
const AT_ONCE: usize = 4;

/// Status, headers and text of an answer, without the time.
async fn whole(request: RequestBuilder) -> String {
    let response = request.header("x-request-id", "same").send().await.unwrap();
    let headers = response.headers().iter().filter(|(name, _)| {
        // What a limit counts down is no answer to an id.
        *name != "date" && !name.as_str().starts_with("ratelimit") && !name.as_str().starts_with("x-ratelimit")
    });
    let headers: BTreeMap<_, _> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    format!("{} {headers:?}\n{}", response.status(), response.text().await.unwrap())
}

/// An answer with the id in it masked.
fn masked(answer: &str, id: Uuid) -> String {
    answer.replace(&id.to_string(), "ID")
}

impl Town {
    /// What somebody is answered to a document about an id, the id masked.
    async fn told(&self, token: &str, document: &str, id: Uuid) -> String {
        let body = json!({ "query": document.replace(ID, &id.to_string()) });
        masked(&whole(self.world.post().bearer_auth(token).json(&body)).await, id)
    }

    /// Asks everything of one operation with every foreign id.
    async fn compare(&self, documents: &[String]) {
        let mut asked = Vec::new();
        for asker in self.askers.iter().filter(|asker| asker.asks) {
            for document in documents {
                let never = self.told(&asker.token, document, Uuid::now_v7()).await;
                assert!(never.starts_with("200 ") && !never.contains("GRAPHQL_VALIDATION"), "{never}\n{document}");
                let foreign = self.foreign_to(asker).into_iter();
                asked.extend(foreign.map(|thing| (asker, document, thing, never.clone())));
            }
        }
        let answers = stream::iter(asked).map(async |(asker, document, thing, never)| {
            let told = self.told(&asker.token, document, thing.id).await;
            assert!(
                told == never,
                "{} asks for the {} of {:?}: {told}\nan id of nothing: {never}",
                asker.name,
                thing.what,
                thing.space
            );
        });
        answers.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// What could have been changed: rows of each table, and how the jobs stand.
    async fn everything(&self) -> (BTreeMap<String, i64>, Value) {
        let names = match self.world.engine {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            Engine::Postgres => "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = current_schema()",
        };
        let mut counts = BTreeMap::new();
        for row in self.world.rows(names).await {
            let name = row["name"].as_str().unwrap().to_owned();
            // Each refused attempt leaves its entry; a row of events goes after its time.
            if !["audit_log", "job_events"].contains(&name.as_str()) {
                let count = self.world.count(&format!("SELECT count(*) FROM {name}")).await;
                counts.insert(name, count);
            }
        }
        let query = "{ jobs(first: 100) { nodes { id status fileName hold { reason } cancellation { at } } } }";
        (counts, self.world.data_to(&self.people.olga.token, query, json!({})).await)
    }

    /// An operator finds each of these things by one of these documents.
    async fn are_found(&self, things: impl Iterator<Item = &Thing>, documents: &[String]) {
        let olga = &self.people.olga.token;
        let mut nothing = Vec::new();
        for document in documents {
            nothing.push(self.told(olga, document, Uuid::now_v7()).await);
        }
        for thing in things {
            let mut found = false;
            for (document, never) in documents.iter().zip(&nothing) {
                found = found || self.told(olga, document, thing.id).await != *never;
            }
            assert!(found, "{thing:?}");
        }
    }
}

async fn a_foreign_id_is_answered_like_one_of_nothing(engine: Engine) {
    let town = town(engine).await;
    let schema = Schema::of(&town.world).await;
    assert_eq!(schema.deeper_places(), Vec::<String>::new(), "these take ids, and the walk does not reach them yet");
    let (queries, mutations) = (schema.documents("query"), schema.documents("mutation"));
    assert!(schema.places("query").len() >= 14 && schema.places("mutation").len() >= 9, "{queries:?} {mutations:?}");
    // Each of these ids is one of something, else the comparison would say nothing.
    town.are_found(town.things.iter().filter(|thing| thing.what != "upload"), &queries).await;
    let before = town.everything().await;
    // Queries first: what is refused is in the audit log, by the id that was given.
    town.compare(&queries).await;
    town.compare(&mutations).await;
    assert_eq!(town.everything().await, before);
    let uploads: Vec<&Thing> = town.things.iter().filter(|thing| thing.what == "upload").collect();
    for upload in uploads {
        let owner = town.askers.iter().find(|asker| asker.space == upload.space).unwrap();
        let create: Vec<String> = mutations.iter().filter(|text| text.contains("createJob")).cloned().collect();
        let told = town.told(&owner.token, &create[0], upload.id).await;
        assert!(told.contains("\"status\":\"PENDING\""), "{upload:?}: {told}");
    }
}

async fn a_foreign_file_is_answered_like_none(engine: Engine) {
    let town = town(engine).await;
    let get = async |token: &str, id: Uuid| {
        let url = format!("{}/artifacts/{id}", town.world.base());
        masked(&whole(town.world.http.get(url).bearer_auth(token)).await, id)
    };
    for asker in &town.askers {
        let never = get(&asker.token, Uuid::now_v7()).await;
        assert!(never.starts_with("404 "), "{never}");
        for thing in town.foreign_to(asker) {
            assert_eq!(get(&asker.token, thing.id).await, never, "{} asks for {thing:?}", asker.name);
        }
        for own in town.things.iter().filter(|thing| thing.space == asker.space && thing.what == "artifact") {
            assert!(get(&asker.token, own.id).await.starts_with("200 "), "{} asks for {own:?}", asker.name);
        }
    }
}

async fn a_foreign_id_is_watched_in_silence(engine: Engine) {
    let town = town(engine).await;
    let schema = Schema::of(&town.world).await;
    let places = schema.places("subscription");
    assert!(!places.is_empty());
    let watched = |asker: &Asker| asker.space != Space::Operators;
    for asker in town.askers.iter().filter(|asker| watched(asker)) {
        let own = town.things.iter().find(|thing| thing.space == asker.space && thing.what == "job").unwrap();
        for place in &places {
            let document = |id: Uuid| format!("subscription {{ {} }}", place.replace(ID, &id.to_string()));
            let mut client = Client::signed_in(&town.world, &asker.token).await;
            for (number, thing) in town.foreign_to(asker).iter().enumerate() {
                client.ask(&number.to_string(), &document(thing.id), json!({})).await;
            }
            client.ask("nothing", &document(Uuid::now_v7()), json!({})).await;
            client.ask("own", &document(own.id), json!({})).await;
            // Whatever was sent before it would have come before it: operations are begun in their order.
            let first = client.next().await;
            assert_eq!((&first["id"], &first["type"]), (&json!("own"), &json!("next")), "{}: {first}", asker.name);
            assert!(first.to_string().contains(&own.id.to_string()), "{first}");
        }
    }
}
