//! Companies.

use async_graphql::{ID, Object};
use entity::company;

use crate::graphql::scalars::Decimal;

/// A company that predictions are about.
#[derive(Clone)]
pub struct Company(pub company::Model);

/// A company that predictions are about.
#[Object]
impl Company {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Ticker symbol.
    async fn symbol(&self) -> &str {
        &self.0.symbol
    }

    /// Full name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Sector of industry.
    async fn sector(&self) -> &str {
        &self.0.sector
    }

    /// Market capitalisation in dollars.
    async fn market_cap(&self) -> Decimal {
        self.0.market_cap.into()
    }
}
