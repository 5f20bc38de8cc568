//! People, and rows that no upload made.

use api::auth::Role;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, prelude::Uuid};

use crate::{World, world::token};

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub organization: Option<Uuid>,
    pub token: String,
}

/// Members of two organizations, and people without one.
#[derive(Clone, Debug)]
pub struct People {
    /// A member of the first organization.
    pub anna: Person,
    /// A colleague of Anna's.
    pub ben: Person,
    /// The administrator of the first organization.
    pub carla: Person,
    /// A member of the second organization.
    pub dora: Person,
    /// Without an organization.
    pub emil: Person,
    /// The operator, without an organization.
    pub olga: Person,
}

/// Makes organizations and people.
pub async fn people(world: &World) -> People {
    let first = organization(world, "First").await;
    let second = organization(world, "Second").await;
    People {
        anna: person(world, "anna", Some(first), Role::Member).await,
        ben: person(world, "ben", Some(first), Role::Member).await,
        carla: person(world, "carla", Some(first), Role::OrgAdmin).await,
        dora: person(world, "dora", Some(second), Role::Member).await,
        emil: person(world, "emil", None, Role::Member).await,
        olga: person(world, "olga", None, Role::Operator).await,
    }
}

async fn organization(world: &World, name: &str) -> Uuid {
    let id = Uuid::now_v7();
    let sql = "INSERT INTO organizations (id, name, slug, join_token) VALUES ($1, $2, $3, $4)";
    let values = [id.into(), name.into(), name.to_lowercase().into(), name.into()];
    let statement = sea_orm::Statement::from_sql_and_values(world.app.db.backend(), sql, values);
    sea_orm::ConnectionTrait::execute_raw(world.app.db.reader(), statement).await.unwrap();
    id
}

async fn person(world: &World, name: &str, organization: Option<Uuid>, role: Role) -> Person {
    let id = Uuid::now_v7();
    let row = entity::user::Model {
        id,
        email: format!("{name}@example.com"),
        username: name.to_owned(),
        hashed_password: "!".to_owned(),
        full_name: None,
        organization_id: organization,
        role: None,
        is_active: Some(true),
        created_at: None,
    };
    row.into_active_model().reset_all().insert(world.app.db.reader()).await.unwrap();
    Person { id, organization, token: token(id, organization, role) }
}

impl World {
    /// The row of the built-in user, which its first write makes.
    pub async fn local_user(&self) -> Uuid {
        api::auth::make_local_user(self.app.db.reader()).await.unwrap();
        api::auth::local_user_id()
    }

    /// A job of the older program, as it would have written it, and its id.
    pub async fn adopted_job(&self, user: Uuid, organization: Option<Uuid>, kind: &str, status: &str) -> Uuid {
        let at = api::database::now().naive_utc();
        let job = entity::job::Model {
            id: Uuid::now_v7(),
            organization_id: organization,
            user_id: user,
            job_type: kind.to_owned(),
            status: Some(status.to_owned()),
            original_filename: "adopted.csv".to_owned(),
            file_size: Some(1000),
            processed_rows: Some(0),
            successful_rows: Some(0),
            failed_rows: Some(0),
            created_at: Some(at),
            started_at: Some(at),
            completed_at: (status == "completed").then_some(at),
            updated_at: Some(at),
            ..entity::job::Model::default()
        };
        let id = job.id;
        entity::job::Entity::insert(job.into_active_model().reset_all())
            .exec_without_returning(self.app.db.reader())
            .await
            .unwrap();
        id
    }

    /// Annual predictions of one company, linked to a job by a link source, and the company's id.
    pub async fn linked_predictions(&self, job: Uuid, source: &str, count: usize) -> Uuid {
        let db = self.app.db.reader();
        let job = entity::job::Entity::find_by_id(job).one(db).await.unwrap().unwrap();
        let company = entity::company::Model {
            id: Uuid::now_v7(),
            symbol: Uuid::now_v7().simple().to_string()[12..32].to_owned(),
            name: "Company".to_owned(),
            market_cap: 1.into(),
            sector: "Sector".to_owned(),
            organization_id: job.organization_id,
            access_level: "personal".to_owned(),
            created_by: Some(job.user_id),
            created_at: None,
            updated_at: None,
        };
        let company_id = company.id;
        company.into_active_model().reset_all().insert(db).await.unwrap();
        let at = Some(api::database::now().naive_utc());
        let rows = (0..count).map(|_| entity::annual_prediction::Model {
            id: Uuid::now_v7(),
            company_id,
            organization_id: job.organization_id,
            access_level: "personal".to_owned(),
            reporting_year: "2020".to_owned(),
            reporting_quarter: None,
            long_term_debt_to_total_capital: None,
            total_debt_to_ebitda: None,
            net_income_margin: None,
            ebit_to_interest_expense: None,
            return_on_assets: None,
            probability: "0.0123".parse().unwrap(),
            risk_level: "LOW".to_owned(),
            confidence: "0.9754".parse().unwrap(),
            predicted_at: at,
            created_by: Some(job.user_id),
            created_at: at,
            updated_at: at,
            job_id: Some(job.id),
            job_link: Some(source.to_owned()),
        });
        for some in rows.collect::<Vec<_>>().chunks(10_000) {
            api::database::insert_rows::<entity::annual_prediction::Entity>(db, some.to_vec()).await.unwrap();
        }
        company_id
    }
}
