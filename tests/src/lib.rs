//! A world for whole-program tests: a real server on a database of its own, and what always holds in it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests say so by failing"
)]

mod attacks;
mod cluster;
mod dice;
mod gate;
pub mod history;
mod invariants;
mod seed;
mod world;

pub use attacks::{Attack, attacks};
pub use cluster::{Node, script};
pub use dice::Dice;
pub use gate::Gate;
pub use invariants::sha256;
pub use seed::{People, Person, people};
pub use world::{Engine, Setup, World, http, migrate, multipart, multipart_request, secret, token};

/// Makes each test function run on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::Engine::Sqlite).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::Engine::Postgres).await;
                }
            )+
        }
    };
}
