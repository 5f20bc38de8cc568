//! People of two organizations and without one, in their organization and in their personal space, and everything that
//! has an id.

use api::auth::Role;
use entity::{audit_entry, backfill_run, company, quarterly_prediction};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, People, Person, Setup, World, people, token};

use crate::{
    deletion::file,
    graphql::{backfill_runs::new_run, new_company, new_quarterly, store},
};

/// Where things are that only some see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The first organization.
    First,
    /// The second organization.
    Second,
    /// Of Ben, who is a member of the first organization.
    Bens,
    /// Of Emil, who has no organization.
    Emils,
    /// Of the operators.
    Operators,
}

/// Something that has an id.
#[derive(Clone, Debug)]
pub struct Thing {
    pub space: Space,
    pub what: &'static str,
    pub id: Uuid,
}

/// Somebody who has things in a space, or asks for those of others.
pub struct Asker {
    pub name: &'static str,
    /// Whether they ask; the others are like one who does.
    pub asks: bool,
    pub space: Space,
    pub token: String,
}

/// A world with all of them.
pub struct Town {
    pub world: World,
    pub people: People,
    pub askers: Vec<Asker>,
    pub things: Vec<Thing>,
}

/// Makes it.
pub async fn town(engine: Engine) -> Town {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let at_home = |person: &Person| Person { organization: None, ..person.clone() };
    let (ben, carla) = (at_home(&people.ben), at_home(&people.carla));
    let ben = Person { token: token(ben.id, None, Role::Member), ..ben };
    let carla = Person { token: token(carla.id, None, Role::OrgAdmin), ..carla };
    let asker = |name, space, person: &Person| {
        let asks = ![Space::Second, Space::Bens].contains(&space);
        Asker { name, asks, space, token: person.token.clone() }
    };
    let askers = vec![
        asker("a member", Space::First, &people.anna),
        asker("an administrator", Space::First, &people.carla),
        asker("a member of another organization", Space::Second, &people.dora),
        asker("a member at home", Space::Bens, &ben),
        asker("a member without an organization", Space::Emils, &people.emil),
    ];
    let mut town = Town { world, people: people.clone(), askers, things: Vec::new() };
    for (space, person) in
        [(Space::First, &people.anna), (Space::Second, &people.dora), (Space::Bens, &ben), (Space::Emils, &people.emil)]
    {
        town.fill(space, person).await;
    }
    let run = new_run();
    town.add(Space::Operators, "backfill run", run.id);
    store::<backfill_run::Entity>(&town.world, [run]).await;
    town.add(Space::Operators, "operator", people.olga.id);
    // An administrator at home is an asker too, with nothing of their own.
    town.askers.push(asker("an administrator at home", Space::Operators, &carla));
    town.add(Space::First, "user", people.anna.id);
    town.add(Space::Second, "user", people.dora.id);
    town.add(Space::Emils, "user", people.emil.id);
    town.add(Space::First, "organization", people.anna.organization.unwrap());
    town.add(Space::Second, "organization", people.dora.organization.unwrap());
    town
}

impl Town {
    fn add(&mut self, space: Space, what: &'static str, id: Uuid) {
        self.things.push(Thing { space, what, id });
    }

    /// What somebody must not see.
    pub fn foreign_to(&self, asker: &Asker) -> Vec<Thing> {
        let alone = asker.name == "an administrator at home";
        self.things.iter().filter(|thing| alone || thing.space != asker.space).cloned().collect()
    }

    /// A job with a file and predictions, one that waits, one that an operator deleted, and rows that nobody uploaded.
    async fn fill(&mut self, space: Space, person: &Person) {
        let name = format!("{space:?}");
        let rows = file(2).replace(",S", &format!(",{name}")).replace("\nS", &format!("\n{name}"));
        let made = self.world.create_as(&person.token, "ANNUAL", "a.csv", rows.clone()).await;
        let job = uuid(&made["job"]["id"]);
        self.world.ended(&job.to_string()).await;
        let query = "query($id: ID!) { job(id: $id) { artifacts { id } predictions { nodes { id company { id } } } } }";
        let parts = self.world.data_to(&person.token, query, json!({ "id": job })).await["job"].take();
        let pending = self.world.adopted_job(person.id, person.organization, "annual", "pending").await;
        let gone = self.world.adopted_job(person.id, person.organization, "annual", "completed").await;
        let (olga, id) = (&self.people.olga.token, json!({ "id": gone }));
        let delete = "mutation($id: ID!) { deleteJob(id: $id) { receipt { id } } }";
        let receipt = self.world.data_to(olga, delete, id).await["deleteJob"]["receipt"]["id"].take();
        let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"evidence\") { job { id } } }";
        self.world.data_to(olga, hold, json!({ "id": job })).await;
        let entry = audit_entry::Entity::find().filter(audit_entry::Column::TargetId.eq(gone));
        let entry = entry.one(self.world.app.db.reader()).await.unwrap().unwrap();
        let firm = new_company(person.id, person.organization, &format!("Q{name}"), "By hand");
        let row = new_quarterly(&firm);
        for (what, id) in [
            ("job", job),
            ("waiting job", pending),
            ("deleted job", gone),
            ("receipt", uuid(&receipt)),
            ("audit entry", entry.id),
            ("annual prediction", uuid(&parts["predictions"]["nodes"][0]["id"])),
            ("company", uuid(&parts["predictions"]["nodes"][0]["company"]["id"])),
            ("artifact", uuid(&parts["artifacts"][0]["id"])),
            ("quarterly prediction", row.id),
            ("company by hand", firm.id),
            ("upload", self.upload(&person.token, rows).await),
        ] {
            self.add(space, what, id);
        }
        store::<company::Entity>(&self.world, [firm]).await;
        store::<quarterly_prediction::Entity>(&self.world, [row]).await;
    }

    async fn upload(&self, token: &str, file: String) -> Uuid {
        let request = self.world.http.post(format!("{}/uploads?name=a.csv", self.world.base()));
        let request = request.bearer_auth(token).header("content-type", "text/csv").body(file);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        uuid(&answer["uploadId"])
    }
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).parse().unwrap()
}
