//! What is left of a past: the rows of an installation, and the files that its operator finds.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    path::Path,
};

use api::database::insert_rows;
use entity::{annual_prediction, company, job};
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel, Statement, prelude::Uuid};
use tempfile::TempDir;

use super::{Line, Past, RATIOS, SYMBOLS, Simulation, USERS};
use crate::migrations::site::Site;

impl Simulation {
    /// Writes what an installation would hold, and the files that its operator finds.
    pub async fn tell(mut self, site: &Site) -> Past {
        self.owners(site).await;
        let companies = self.companies(site).await;
        let living: Vec<job::Model> =
            self.works.iter().filter(|work| !work.deleted).map(|work| work.row.clone()).collect();
        insert_rows::<job::Entity>(&site.db, living).await.unwrap();
        let sources = TempDir::new().unwrap();
        let own = self.files(sources.path());
        let (mut truth, mut plain, mut rows) = (HashMap::new(), HashSet::new(), Vec::new());
        for made in self.made.iter().filter(|made| made.committed) {
            // Users delete some.
            if self.dice.percent(2) {
                continue;
            }
            let job = made.job.filter(|job| !self.works[*job].deleted);
            truth.insert(made.id, job.map(|job| self.works[job].id));
            if job.is_some_and(|job| own.contains(&job) && self.works[job].step.is_none() && !self.works[job].twin) {
                plain.insert(made.id);
            }
            // The column held less than some files give.
            let ratio = |index: usize| {
                made.line.ratios[index].map(|ratio| {
                    let ratio: i64 = if ratio > 999_999_000 { 999_999_000 } else { ratio };
                    format!("{ratio}e-3").parse::<f64>().unwrap().to_string().parse().unwrap()
                })
            };
            rows.push(annual_prediction::Model {
                id: made.id,
                company_id: companies[&(self.scope(made.user), made.line.subject.symbol)],
                organization_id: self.organizations[made.user],
                access_level: "personal".to_owned(),
                reporting_year: made.line.subject.year.to_string(),
                reporting_quarter: Some("Q4".to_owned()),
                long_term_debt_to_total_capital: ratio(0),
                total_debt_to_ebitda: ratio(1),
                net_income_margin: ratio(2),
                ebit_to_interest_expense: ratio(3),
                return_on_assets: ratio(4),
                probability: "0.0123".parse().unwrap(),
                risk_level: "LOW".to_owned(),
                confidence: "0.9754".parse().unwrap(),
                predicted_at: Some(made.predicted_at),
                created_by: Some(self.users[made.user]),
                created_at: Some(made.created_at),
                updated_at: Some(made.created_at),
                job_id: None,
                job_link: None,
            });
        }
        insert_rows::<annual_prediction::Entity>(&site.db, rows).await.unwrap();
        Past { truth, plain, sources }
    }

    async fn owners(&self, site: &Site) {
        let organizations: HashSet<Uuid> = self.organizations.iter().flatten().copied().collect();
        for id in organizations {
            let sql = "INSERT INTO organizations (id, name, slug, join_token) VALUES ($1, $2, $2, $3)";
            let token = id.simple().to_string();
            let values = [id.into(), token.clone().into(), token.into()];
            let statement = Statement::from_sql_and_values(site.db.get_database_backend(), sql, values);
            site.db.execute_raw(statement).await.unwrap();
        }
        for (index, id) in self.users.iter().enumerate() {
            let row = entity::user::Model {
                id: *id,
                email: format!("{index}@example.com"),
                username: index.to_string(),
                hashed_password: "!".to_owned(),
                full_name: None,
                organization_id: self.organizations[index],
                role: None,
                is_active: Some(true),
                created_at: None,
            };
            row.into_active_model().reset_all().insert(&site.db).await.unwrap();
        }
    }

    async fn companies(&self, site: &Site) -> HashMap<(usize, u64), Uuid> {
        let mut companies = HashMap::new();
        let mut rows = Vec::new();
        for user in (0..USERS).filter(|user| self.scope(*user) == *user) {
            for symbol in 0..SYMBOLS {
                let id = Uuid::now_v7();
                companies.insert((user, symbol), id);
                rows.push(company::Model {
                    id,
                    symbol: format!("C{symbol}"),
                    name: "Company".to_owned(),
                    market_cap: 1.into(),
                    sector: "Sector".to_owned(),
                    organization_id: self.organizations[user],
                    access_level: "personal".to_owned(),
                    created_by: Some(self.users[user]),
                    created_at: None,
                    updated_at: None,
                });
            }
        }
        insert_rows::<company::Entity>(&site.db, rows).await.unwrap();
        companies
    }

    /// Writes the files that are at hand, some of them for the wrong job, and answers the jobs that have their own.
    fn files(&mut self, folder: &Path) -> HashSet<usize> {
        let mut own = HashSet::new();
        let living: Vec<usize> = (0..self.works.len()).filter(|work| !self.works[*work].deleted).collect();
        for (place, index) in living.iter().copied().enumerate() {
            let neighbour = living[if place == 0 { living.len() - 1 } else { place - 1 }];
            let file = match self.dice.below(100) {
                0..6 => continue,
                6..12 => neighbour,
                _ => {
                    own.insert(index);
                    index
                }
            };
            let path = folder.join(format!("{}.csv", self.works[index].id));
            std::fs::write(path, csv(&self.works[file].file)).unwrap();
            if file == neighbour && self.dice.percent(50) {
                // Two files were mistaken for each other.
                own.remove(&neighbour);
                let path = folder.join(format!("{}.csv", self.works[neighbour].id));
                std::fs::write(path, csv(&self.works[index].file)).unwrap();
            }
        }
        own
    }
}

fn csv(lines: &[Line]) -> String {
    let mut text = format!("company_symbol,reporting_year,reporting_quarter,{}\n", RATIOS.join(","));
    for line in lines {
        write!(text, "C{},{},Q4", line.subject.symbol, line.subject.year).unwrap();
        for ratio in line.ratios {
            let ratio = ratio.map(|ratio| {
                format!("{}{}.{:03}", if ratio < 0 { "-" } else { "" }, ratio.abs() / 1000, ratio.abs() % 1000)
            });
            write!(text, ",{}", ratio.unwrap_or_default()).unwrap();
        }
        text.push('\n');
    }
    text
}
