//! Companies.

use std::sync::Arc;

use async_graphql::{ID, Object};
use entity::company;
use sea_orm::prelude::Uuid;

use crate::graphql::scalars::Decimal;

/// A company that predictions are about.
#[derive(Clone)]
pub struct Company(pub Arc<company::Model>);

impl From<company::Model> for Company {
    fn from(row: company::Model) -> Self {
        Self(Arc::new(row))
    }
}

impl Company {
    /// In the place of a company that is not the viewer's to see: nothing of it is shown, not even its id.
    pub fn unseen() -> Self {
        let nothing = company::Model {
            id: Uuid::nil(),
            symbol: String::new(),
            name: String::new(),
            market_cap: 0.into(),
            sector: String::new(),
            organization_id: None,
            access_level: String::new(),
            created_by: None,
            created_at: None,
            updated_at: None,
        };
        nothing.into()
    }
}

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
