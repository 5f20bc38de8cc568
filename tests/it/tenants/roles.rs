//! The table of roles, gone through against the server: each role with each action, on what is their own, a colleague's,
//! another tenant's and in another user's personal space.

use api::auth::{
    Action, Role,
    roles::{self, Reach, TABLE},
};
use entity::{annual_prediction, backfill_run, company};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, People, Person, Setup, World, people, token};

use crate::{
    deletion::file,
    graphql::{backfill_runs::new_run, new_annual, new_company, store},
};

tests::on_both!(each_role_does_what_the_table_says_and_nothing_else,);

/// Whose a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Own,
    Colleagues,
    AnotherTenants,
    Personal,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    Forbidden,
    NotFound,
}

/// What the table says.
fn expected(role: Role, action: Action, whose: Whose) -> Told {
    let within = |reach: Reach| match reach {
        Reach::Nothing => false,
        Reach::Own => whose == Whose::Own,
        Reach::Space => matches!(whose, Whose::Own | Whose::Colleagues),
        Reach::Everything => true,
    };
    let reach = roles::reach(role, action);
    match action {
        // Lists: what one may read at all, without what one may not.
        Action::ReadAuditLog | Action::ReadBackfillRuns | Action::Retention if reach == Reach::Nothing => {
            Told::Forbidden
        }
        _ if !within(roles::reach(role, Action::See)) => Told::NotFound,
        _ if within(reach) => Told::Done,
        _ => Told::Forbidden,
    }
}

struct Site {
    world: World,
    people: People,
}

impl Site {
    fn owner(&self, whose: Whose, caller: &Person) -> Person {
        match whose {
            Whose::Own => caller.clone(),
            Whose::Colleagues => self.people.ben.clone(),
            Whose::AnotherTenants => self.people.dora.clone(),
            Whose::Personal => Person { organization: None, ..self.people.ben.clone() },
        }
    }

    /// What a mutation of one thing was answered.
    async fn change(&self, caller: &Person, field: &str, id: Uuid) -> Told {
        let fields = if field.starts_with("deletePredictions") { "deletedIds" } else { "job { id }" };
        let query = format!("mutation($id: ID!) {{ told: {field} {{ {fields} userErrors {{ code }} }} }}");
        let told = self.world.data_to(&caller.token, &query, json!({ "id": id })).await["told"].take();
        match told["userErrors"][0]["code"].as_str() {
            // The file that is to be run again is not there: whether one may comes before.
            None | Some("INVALID_STATE") => Told::Done,
            Some("FORBIDDEN") => Told::Forbidden,
            Some("JOB_NOT_FOUND" | "NOT_FOUND") => Told::NotFound,
            Some(other) => panic!("{field}: {other}"),
        }
    }

    /// What a list was answered of which this is a part.
    async fn listed(&self, caller: &Person, query: &str, id: Uuid) -> Told {
        let answer = self.world.answer_to(&caller.token, query, json!({ "id": id })).await;
        match answer["errors"][0]["extensions"]["code"].as_str() {
            Some("FORBIDDEN") => Told::Forbidden,
            Some(other) => panic!("{other}"),
            None if answer["data"]["list"]["totalCount"].as_i64().unwrap() > 0 => Told::Done,
            None => Told::NotFound,
        }
    }

    async fn job(&self, owner: &Person, status: &str) -> Uuid {
        self.world.adopted_job(owner.id, owner.organization, "annual", status).await
    }

    /// Tries an action, in each of the ways that it can be done.
    async fn attempts(&self, caller: &Person, action: Action, whose: Whose) -> Vec<Told> {
        let owner = self.owner(whose, caller);
        match action {
            Action::See => {
                let job = self.job(&owner, "completed").await;
                let query = "query($id: ID!) { job(id: $id) { id } node(id: $id) { id } }";
                let seen = self.world.data_to(&caller.token, query, json!({ "id": job })).await;
                let told = |value: &Value| if value.is_null() { Told::NotFound } else { Told::Done };
                vec![told(&seen["job"]), told(&seen["node"])]
            }
            Action::Create => {
                // Whatever is made is the caller's own.
                let made = self.world.create_as(&caller.token, "ANNUAL", "a.csv", file(1)).await;
                let query = "query($id: ID!) { job(id: $id) { createdBy { id } organization { id } } }";
                let id = made["job"]["id"].clone();
                let job = self.world.data_to(&caller.token, query, json!({ "id": id })).await["job"].take();
                let home = caller.organization.map(|id| json!({ "id": id }));
                assert_eq!(job, json!({ "createdBy": { "id": caller.id }, "organization": home }));
                vec![Told::Done]
            }
            Action::Cancel => {
                let job = self.job(&owner, "pending").await;
                vec![self.change(caller, "cancelJob(id: $id)", job).await]
            }
            Action::Retry => {
                let job = self.job(&owner, "failed").await;
                vec![self.change(caller, "retryJob(id: $id)", job).await]
            }
            Action::Delete => {
                let job = self.job(&owner, "completed").await;
                let firm = new_company(owner.id, owner.organization, &Uuid::now_v7().simple().to_string()[12..], "F");
                let row = new_annual(&firm);
                let prediction = row.id;
                store::<company::Entity>(&self.world, [firm]).await;
                store::<annual_prediction::Entity>(&self.world, [row]).await;
                let active = self.job(&owner, "pending").await;
                vec![
                    self.change(caller, "deleteJob(id: $id)", job).await,
                    self.change(caller, "deleteJob(id: $id, force: true)", active).await,
                    self.change(caller, "deletePredictions(ids: [$id])", prediction).await,
                ]
            }
            Action::Clean => {
                let job = self.job(&owner, "completed").await;
                vec![self.change(caller, "cleanJob(id: $id)", job).await]
            }
            Action::Hold => {
                let job = self.job(&owner, "completed").await;
                vec![
                    self.change(caller, "holdJob(id: $id, reason: \"audit\")", job).await,
                    self.change(caller, "releaseJobHold(id: $id)", job).await,
                ]
            }
            Action::ReadAuditLog => {
                let job = self.job(&owner, "pending").await;
                let by = if whose == Whose::Own { caller } else { &owner };
                let by = Person { token: token(by.id, owner.organization, self.role_of(by)), ..by.clone() };
                assert_eq!(self.change(&by, "cancelJob(id: $id)", job).await, Told::Done);
                let query = "query($id: ID!) { list: auditLog(filter: {targetId: $id}) { totalCount } }";
                vec![self.listed(caller, query, job).await]
            }
            Action::ReadBackfillRuns => {
                vec![self.listed(caller, "{ list: backfillRuns { totalCount } }", job_of_nobody()).await]
            }
            Action::Retention => {
                let run = "mutation { told: runRetention(policy: { completed: { action: KEEP } }) {
                    run { id } userErrors { code } } }";
                let told = self.world.data_to(&caller.token, run, json!({})).await["told"].take();
                let ran = match told["userErrors"][0]["code"].as_str() {
                    None => Told::Done,
                    Some("FORBIDDEN") => Told::Forbidden,
                    Some(other) => panic!("{other}"),
                };
                let preview = "{ list: retentionPreview { delete } retentionPolicy { includeAdopted } }";
                let answer = self.world.answer_to(&caller.token, preview, json!({})).await;
                let seen = if answer["errors"].is_null() { Told::Done } else { Told::Forbidden };
                for error in answer["errors"].as_array().into_iter().flatten() {
                    assert_eq!(error["extensions"]["code"], "FORBIDDEN", "{answer}");
                }
                let list = self.listed(caller, "{ list: retentionRuns { totalCount } }", job_of_nobody()).await;
                vec![ran, seen, list]
            }
        }
    }

    fn role_of(&self, person: &Person) -> Role {
        match person.id {
            id if id == self.people.carla.id => Role::OrgAdmin,
            id if id == self.people.olga.id => Role::Operator,
            _ => Role::Member,
        }
    }
}

fn job_of_nobody() -> Uuid {
    Uuid::nil()
}

async fn each_role_does_what_the_table_says_and_nothing_else(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    store::<backfill_run::Entity>(&world, [new_run()]).await;
    let site = Site { world, people };
    for (role, caller) in Role::ALL.into_iter().zip([&site.people.anna, &site.people.carla, &site.people.olga]) {
        for (action, _, _) in TABLE {
            for whose in [Whose::Own, Whose::Colleagues, Whose::AnotherTenants, Whose::Personal] {
                // What is made, and the runs, are nobody else's.
                if whose != Whose::Own
                    && matches!(action, Action::Create | Action::ReadBackfillRuns | Action::Retention)
                {
                    continue;
                }
                let wanted = expected(role, action, whose);
                for told in site.attempts(caller, action, whose).await {
                    assert_eq!(told, wanted, "{role:?} {action:?} {whose:?}");
                }
            }
        }
    }
}

#[test]
fn the_readme_shows_the_table() {
    let reach = |reach: Reach| match reach {
        Reach::Nothing => "no",
        Reach::Own => "own",
        Reach::Space => "organization's",
        Reach::Everything => "all",
    };
    let head = Role::ALL.map(|role| format!("`{}`", role.as_str())).join(" | ");
    let mut table = format!("| | {head} |\n|---|---|---|---|\n");
    for (_, name, reaches) in TABLE {
        table += &format!("| {name} | {} |\n", reaches.map(reach).join(" | "));
    }
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    assert!(readme.contains(&table), "README.md lacks this table:\n{table}");
}
