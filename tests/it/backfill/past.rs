//! An existing installation with a past that is known: a simulation of the older program, its users and their habits.
//!
//! Workers read their files row by row, in transactions of up to 50, next to each other and to people who make
//! predictions by hand, delete some, delete jobs, upload a file twice, cancel; workers crash, clocks step or are wrong.

mod told;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use chrono::{NaiveDateTime, TimeDelta};
use entity::job;
use sea_orm::prelude::Uuid;
use tempfile::TempDir;
use tests::Dice;

use crate::migrations::site::Site;

const USERS: usize = 5;
const JOBS: usize = 10;
const SYMBOLS: u64 = 80;
const RATIOS: [&str; 5] = [
    "long_term_debt_to_total_capital",
    "total_debt_to_ebitda",
    "net_income_margin",
    "ebit_to_interest_expense",
    "return_on_assets",
];

/// What is known of the past and not told to the backfill.
pub struct Past {
    /// The job that made each prediction; none where it is gone or a hand made it.
    pub truth: HashMap<Uuid, Option<Uuid>>,
    /// Predictions of jobs whose own file is at hand and was uploaded once, and whose clock did not step.
    pub plain: HashSet<Uuid>,
    /// The files at hand.
    pub sources: TempDir,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    symbol: u64,
    year: u64,
}

#[derive(Clone)]
struct Line {
    subject: Subject,
    /// Thousandths; none = missing.
    ratios: [Option<i64>; 5],
}

struct Made {
    id: Uuid,
    user: usize,
    line: Line,
    predicted_at: NaiveDateTime,
    created_at: NaiveDateTime,
    job: Option<usize>,
    committed: bool,
}

struct Work {
    id: Uuid,
    user: usize,
    file: Vec<Line>,
    deleted: bool,
    /// Its file was uploaded twice.
    twin: bool,
    /// How far the worker's clock is off, and from which row on by how much more.
    off: TimeDelta,
    step: Option<(usize, TimeDelta)>,
    crash_at: Option<usize>,
    cancel_at: Option<NaiveDateTime>,
    progress_by_row: bool,
    /// Rows read.
    position: usize,
    transaction: Vec<usize>,
    began: Option<NaiveDateTime>,
    attempts: usize,
    row: job::Model,
}

impl Work {
    fn clock(&self, at: NaiveDateTime) -> NaiveDateTime {
        let step = self.step.filter(|(from, _)| self.position >= *from).map_or(TimeDelta::zero(), |(_, by)| by);
        at + self.off + step
    }

    /// Notes that the user cancelled it meanwhile. What the worker counts from then on is not stored.
    fn cancelled(&mut self, at: NaiveDateTime) {
        if let Some(cancel_at) = self.cancel_at.filter(|cancel_at| *cancel_at <= at)
            && self.row.completed_at.is_none()
        {
            self.row.status = Some("cancelled".to_owned());
            self.row.completed_at = Some(self.clock(cancel_at).max(self.row.started_at.unwrap()));
        }
    }
}

/// Who does something next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Actor {
    Worker(usize),
    Hand(usize),
}

struct Simulation {
    dice: Dice,
    organizations: [Option<Uuid>; USERS],
    users: [Uuid; USERS],
    /// The database's zone in minutes, before and after clocks change.
    zone: (i64, i64),
    change: NaiveDateTime,
    works: Vec<Work>,
    hands: Vec<(usize, Line)>,
    made: Vec<Made>,
    /// What is stored, by owner and subject.
    stored: HashMap<(usize, Subject), usize>,
    queue: BinaryHeap<Reverse<(NaiveDateTime, Actor)>>,
}

/// Makes a past on a migrated database.
pub async fn make(site: &Site, seed: u64) -> Past {
    let first = Uuid::now_v7();
    let second = Uuid::now_v7();
    let start = "2025-03-29T20:00:00".parse::<NaiveDateTime>().unwrap();
    let mut simulation = Simulation {
        dice: Dice::new(seed + 1),
        organizations: [Some(first), Some(first), Some(second), None, None],
        users: std::array::from_fn(|_| Uuid::now_v7()),
        zone: [(0, 0), (330, 330), (60, 120), (-300, -360)][usize::try_from(seed % 4).unwrap()],
        change: start + TimeDelta::hours(5),
        works: Vec::new(),
        hands: Vec::new(),
        made: Vec::new(),
        stored: HashMap::new(),
        queue: BinaryHeap::new(),
    };
    simulation.plan(start);
    simulation.happen();
    simulation.tell(site).await
}

impl Simulation {
    /// Whoever shares an organization shares what is stored.
    fn scope(&self, user: usize) -> usize {
        self.organizations[user].map_or(user, |mine| {
            self.organizations.iter().position(|organization| *organization == Some(mine)).unwrap()
        })
    }

    fn database_clock(&self, at: NaiveDateTime) -> NaiveDateTime {
        at + TimeDelta::minutes(if at < self.change { self.zone.0 } else { self.zone.1 })
    }

    fn line(&mut self) -> Line {
        let subject = Subject { symbol: self.dice.below(SYMBOLS), year: 1950 + self.dice.below(75) };
        Line { subject, ratios: self.ratios() }
    }

    fn ratios(&mut self) -> [Option<i64>; 5] {
        std::array::from_fn(|_| match self.dice.below(100) {
            0..8 => None,
            8..10 => Some(100_000_000_000),
            _ => Some(i64::try_from(self.dice.below(200_000)).unwrap() - 50_000),
        })
    }

    fn plan(&mut self, start: NaiveDateTime) {
        for user in 0..USERS {
            let mut at = start + self.dice.millis(0, 3_600_000);
            for _ in 0..JOBS {
                at += match self.dice.below(10) {
                    0..3 => self.dice.millis(0, 3_000),
                    3 => self.dice.millis(0, 200),
                    _ => self.dice.millis(60_000, 3_600_000),
                };
                let file = self.file(user);
                let twin = self.dice.percent(8).then(|| file.clone());
                let work = self.work(user, file, at);
                if let Some(file) = twin {
                    let later = at + self.dice.millis(20, 2_000);
                    let again = self.work(user, file, later);
                    self.works[work].twin = true;
                    self.works[again].twin = true;
                    let gone = if self.dice.percent(50) { work } else { again };
                    self.works[gone].deleted = self.dice.percent(70);
                }
            }
            for _ in 0..JOBS {
                let (line, at) = (self.line(), start + self.dice.millis(0, 8 * 3_600_000));
                self.hand(user, line, at);
            }
        }
    }

    fn file(&mut self, user: usize) -> Vec<Line> {
        let rows = [1, 10, 20, 75, 120, 200, 200][usize::try_from(self.dice.below(7)).unwrap()];
        let mut file: Vec<Line> = (0..rows).map(|_| self.line()).collect();
        let earlier: Vec<usize> = (0..self.works.len()).filter(|work| self.works[*work].user == user).collect();
        if !earlier.is_empty() && self.dice.percent(20) {
            // Some rows of a file that was uploaded before.
            let from = earlier[usize::try_from(self.dice.below(earlier.len() as u64)).unwrap()];
            let some = self.works[from].file.iter().skip(3).take(60).cloned().collect::<Vec<_>>();
            let place = usize::try_from(self.dice.below(rows)).unwrap();
            file.splice(place..(place + some.len()).min(file.len()), some);
        }
        if file.len() > 5 && self.dice.percent(10) {
            file[4] = file[1].clone();
        }
        file
    }

    fn work(&mut self, user: usize, file: Vec<Line>, start: NaiveDateTime) -> usize {
        let rows = file.len();
        for _ in 0..self.dice.below(3) {
            // The user makes a row of the file by hand, about when the worker is there.
            let place = self.dice.below(rows as u64);
            let mut line = file[usize::try_from(place).unwrap()].clone();
            if self.dice.percent(50) {
                line.ratios = self.ratios();
            }
            let at = start + self.dice.millis(place * 15, place * 21 + 60);
            self.hand(user, line, at);
        }
        let id = Uuid::now_v7();
        let off = if self.dice.percent(10) { TimeDelta::seconds(60) } else { TimeDelta::zero() };
        let step = self.dice.percent(4).then(|| {
            let by = self.dice.millis(500, 30_000);
            (rows / 2, if self.dice.percent(50) { by } else { -by })
        });
        let ended = self.dice.below(100);
        let count = i32::try_from(rows).unwrap();
        let row = job::Model {
            id,
            organization_id: self.organizations[user],
            user_id: self.users[user],
            job_type: "annual".to_owned(),
            status: Some("processing".to_owned()),
            original_filename: format!("{}.csv", self.works.len()),
            file_size: None,
            total_rows: Some(count),
            processed_rows: Some(0),
            successful_rows: Some(0),
            failed_rows: Some(0),
            error_message: None,
            error_details: None,
            celery_task_id: None,
            created_at: Some(self.database_clock(start)),
            started_at: Some(start + off),
            completed_at: None,
            updated_at: Some(start + off),
            origin: None,
            ..job::Model::default()
        };
        self.works.push(Work {
            id,
            user,
            deleted: self.dice.percent(8),
            twin: false,
            off,
            step,
            crash_at: (ended < 6).then(|| rows * 2 / 3),
            cancel_at: (6..12).contains(&ended).then(|| start + self.dice.millis(0, rows as u64 * 18)),
            progress_by_row: self.dice.percent(50),
            position: 0,
            transaction: Vec::new(),
            began: None,
            attempts: 0,
            row,
            file,
        });
        let index = self.works.len() - 1;
        self.queue.push(Reverse((start + self.dice.millis(5, 30), Actor::Worker(index))));
        index
    }

    fn hand(&mut self, user: usize, line: Line, at: NaiveDateTime) {
        self.hands.push((user, line));
        self.queue.push(Reverse((at, Actor::Hand(self.hands.len() - 1))));
    }

    fn happen(&mut self) {
        while let Some(Reverse((at, actor))) = self.queue.pop() {
            match actor {
                Actor::Hand(hand) => {
                    let (user, line) = self.hands[hand].clone();
                    let (scope, created_at) = (self.scope(user), self.database_clock(at));
                    // Some programs let a hand make a second prediction of a period, others do not.
                    if self.stored.contains_key(&(scope, line.subject.clone())) && self.dice.percent(50) {
                        continue;
                    }
                    let predicted_at = at + self.dice.millis(1, 16);
                    *self.stored.entry((scope, line.subject.clone())).or_default() += 1;
                    self.made.push(Made {
                        id: Uuid::now_v7(),
                        user,
                        line,
                        predicted_at,
                        created_at,
                        job: None,
                        committed: true,
                    });
                }
                Actor::Worker(index) => {
                    if let Some(next) = self.work_on(index, at) {
                        self.queue.push(Reverse((next, Actor::Worker(index))));
                    }
                }
            }
        }
    }

    /// One row of a file; answers when the next one is due.
    fn work_on(&mut self, index: usize, at: NaiveDateTime) -> Option<NaiveDateTime> {
        if self.works[index].began.is_none() {
            self.works[index].cancelled(at);
            if self.works[index].row.completed_at.is_some() {
                return None;
            }
            self.works[index].began = Some(at);
            return Some(at + self.dice.millis(8, 25));
        }
        let work = &self.works[index];
        if work.crash_at == Some(work.position) {
            if self.dice.percent(30) {
                self.commit(index, at);
            }
            return None;
        }
        let (user, line) = (work.user, work.file[work.position].clone());
        let key = (self.scope(user), line.subject.clone());
        let own = work.transaction.iter().any(|made| self.made[*made].line.subject == line.subject);
        let counted = if self.dice.percent(1) {
            // A bad row takes the transaction with it.
            let work = &mut self.works[index];
            work.transaction.clear();
            work.began = None;
            work.attempts = 0;
            &mut work.row.failed_rows
        } else if own || self.stored.contains_key(&key) {
            &mut self.works[index].row.failed_rows
        } else {
            let work = &self.works[index];
            let made = Made {
                id: Uuid::now_v7(),
                user,
                line,
                predicted_at: work.clock(at),
                created_at: self.database_clock(work.began.unwrap()),
                job: Some(index),
                committed: false,
            };
            self.made.push(made);
            self.works[index].transaction.push(self.made.len() - 1);
            &mut self.works[index].row.successful_rows
        };
        *counted.as_mut().unwrap() += 1;
        let work = &mut self.works[index];
        work.position += 1;
        work.attempts += 1;
        // A bad row is told at once.
        if (work.progress_by_row || work.began.is_none()) && work.row.completed_at.is_none() {
            work.row.processed_rows = Some(i32::try_from(work.position).unwrap());
            work.row.updated_at = Some(work.clock(at));
        }
        work.cancelled(at);
        let last = work.position == work.file.len();
        if work.attempts >= 50 || last {
            let at = at + self.dice.millis(1, 15);
            self.commit(index, at);
            let work = &mut self.works[index];
            if work.row.completed_at.is_some() {
                return None;
            }
            if last {
                work.row.status = Some("completed".to_owned());
                work.row.completed_at = Some(work.clock(at + TimeDelta::milliseconds(5)));
                work.row.updated_at = work.row.completed_at;
                return None;
            }
        }
        Some(at + self.dice.millis(15, 21))
    }

    fn commit(&mut self, index: usize, at: NaiveDateTime) {
        let scope = self.scope(self.works[index].user);
        for made in std::mem::take(&mut self.works[index].transaction) {
            self.made[made].committed = true;
            *self.stored.entry((scope, self.made[made].line.subject.clone())).or_default() += 1;
        }
        let work = &mut self.works[index];
        work.began = None;
        work.attempts = 0;
        if work.row.completed_at.is_none() {
            work.row.processed_rows = Some(i32::try_from(work.position).unwrap());
            work.row.updated_at = Some(work.clock(at));
        }
    }
}
